//! The tables, version by version.

/// "srej", big-endian.
pub(super) const APPLICATION_ID: i32 = 0x7372_656A;

/// Schema version `n` becomes `n + 1`; entries are only ever appended.
pub(super) const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7];

const V1: &str = "
    CREATE TABLE orders (
        sequence INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL UNIQUE,
        request BLOB NOT NULL,
        accepted_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE results (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        finished_at_ms INTEGER NOT NULL,
        status TEXT NOT NULL,
        result TEXT NOT NULL
    ) STRICT;
";

/// Leases, events, callbacks and uploaded skills. Version 1 did not keep what an order needs to
/// run: an open order of that time is `incomplete` until it is submitted again.
const V2: &str = "
    ALTER TABLE orders ADD COLUMN submitter TEXT NOT NULL DEFAULT 'local';
    ALTER TABLE orders ADD COLUMN skill BLOB;
    CREATE INDEX orders_by_skill ON orders (skill, sequence) WHERE skill IS NOT NULL;
    CREATE INDEX orders_by_submitter ON orders (submitter, sequence);
    CREATE INDEX results_by_status ON results (status, sequence);
    CREATE TABLE open_orders (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        state TEXT NOT NULL CHECK (state IN ('incomplete', 'ready', 'waiting', 'running', 'verifying')),
        backend TEXT NOT NULL,
        submitter TEXT NOT NULL,
        priority INTEGER NOT NULL,
        attempt INTEGER NOT NULL,      -- attempts begun
        max_retries INTEGER NOT NULL,
        token INTEGER NOT NULL,        -- acquisitions so far
        holder TEXT,                   -- who holds the lease
        cancel INTEGER NOT NULL,       -- whether cancellation was asked for
        queued_at_ms INTEGER NOT NULL,
        queue_until_ms INTEGER,        -- a first attempt must have begun by then
        set_at_ms INTEGER NOT NULL,    -- when due_ms was decided
        due_ms INTEGER NOT NULL,       -- of a waiting order: when it is ready again
        callback_url TEXT,
        work TEXT NOT NULL,            -- JSON
        input BLOB NOT NULL            -- canonical JSON
    ) STRICT;
    CREATE INDEX open_orders_ready ON open_orders (backend, submitter, priority DESC, sequence) WHERE state = 'ready';
    CREATE INDEX open_orders_waiting ON open_orders (due_ms) WHERE state = 'waiting';
    CREATE INDEX open_orders_held ON open_orders (holder) WHERE holder IS NOT NULL;
    INSERT INTO open_orders
        SELECT sequence, 'incomplete', 'wasm', 'local', 0, 0, 0, 0, NULL, 0, accepted_at_ms, NULL, 0, 0, NULL, '', x''
        FROM orders WHERE sequence NOT IN (SELECT sequence FROM results);
    CREATE TABLE events (
        sequence INTEGER NOT NULL REFERENCES orders,
        number INTEGER NOT NULL,
        at_ms INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        kind TEXT NOT NULL,
        detail TEXT,
        PRIMARY KEY (sequence, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE outbox (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        message_id TEXT NOT NULL,
        url TEXT NOT NULL,
        host TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'refused', 'given_up')),
        attempt INTEGER NOT NULL,      -- deliveries begun since the last request for redelivery
        token INTEGER NOT NULL,
        holder TEXT,
        set_at_ms INTEGER NOT NULL,
        due_ms INTEGER NOT NULL,
        error TEXT                     -- of the last delivery that failed
    ) STRICT;
    CREATE INDEX outbox_pending ON outbox (due_ms) WHERE state = 'pending';
    CREATE TABLE skills (
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        submitter TEXT NOT NULL,
        uploaded_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE holders (
        holder TEXT PRIMARY KEY,
        until_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";

/// Receipts that are to be issued, verdicts of others, and orders that need some of these. Every
/// order of an earlier version that has ended is due: those that have a receipt already are found
/// to have it.
const V3: &str = "
    CREATE TABLE receipts_due (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        attempt INTEGER NOT NULL,
        set_at_ms INTEGER NOT NULL,    -- when due_ms was decided
        due_ms INTEGER NOT NULL,
        error TEXT                     -- why the last attempt failed
    ) STRICT;
    INSERT INTO receipts_due SELECT sequence, 0, 0, 0, NULL FROM results;
    CREATE TABLE finality (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        required INTEGER NOT NULL,     -- matching verdicts, each by another key
        final_at_ms INTEGER
    ) STRICT;
    CREATE TABLE verdicts (
        sequence INTEGER NOT NULL REFERENCES orders,
        number INTEGER NOT NULL,
        key BLOB NOT NULL,
        verdict TEXT NOT NULL,
        checked_at_ms INTEGER NOT NULL,
        received_at_ms INTEGER NOT NULL,
        digest BLOB NOT NULL,
        PRIMARY KEY (sequence, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE coverage (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        receipts INTEGER NOT NULL,     -- issued
        checked INTEGER NOT NULL,      -- orders with a verdict
        matched INTEGER NOT NULL,      -- orders with one that matched
        disputed INTEGER NOT NULL      -- orders with one that diverged or is tampered
    ) STRICT;
    INSERT INTO coverage VALUES (1, 0, 0, 0, 0);
";

/// Callbacks know the trace of whoever submitted the order.
const V4: &str = "
    ALTER TABLE outbox ADD COLUMN trace TEXT; -- traceparent
";

/// Callbacks know who submitted the order, so that submitters can take turns without a look at all
/// that waits.
const V5: &str = "
    ALTER TABLE outbox ADD COLUMN submitter TEXT NOT NULL DEFAULT 'local';
    UPDATE outbox SET submitter = (SELECT submitter FROM orders WHERE orders.sequence = outbox.sequence);
    DROP INDEX outbox_pending;
    CREATE INDEX outbox_pending ON outbox (submitter, due_ms, host, holder) WHERE state = 'pending';
";

/// Checks that came to nothing are counted: they are no clean ones. Those of orders that were
/// purged before are not known.
const V6: &str = "
    ALTER TABLE coverage ADD COLUMN inconclusive INTEGER NOT NULL DEFAULT 0;
    UPDATE coverage SET inconclusive = (
        SELECT count(*) FROM (
            SELECT sequence FROM verdicts GROUP BY sequence
            HAVING max(verdict IN ('matched', 'hash_only', 'diverged', 'tampered')) = 0));
";

/// How long the log was when it was last used: one that is shorter was lost, or put back from an
/// older copy.
const V7: &str = "
    CREATE TABLE log_seen (
        origin TEXT PRIMARY KEY,       -- the log's name
        entries INTEGER NOT NULL       -- numbered there, and durable
    ) STRICT, WITHOUT ROWID;
";
