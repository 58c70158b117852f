//! The tables.

/// "srej", big-endian.
pub(super) const APPLICATION_ID: i32 = 0x7372_656A;

/// Schema version `n` becomes `n + 1`; entries are only ever appended.
pub(super) const MIGRATIONS: &[&str] = &[V1];

/// `outbox.due_ms` of a callback whose order waits for verdicts.
pub(super) const NEVER_DUE: i64 = i64::MAX;

const V1: &str = "
    CREATE TABLE orders (
        sequence INTEGER PRIMARY KEY,
        order_id TEXT NOT NULL UNIQUE,
        request BLOB NOT NULL,         -- SHA-256 of what was asked for
        accepted_at_ms INTEGER NOT NULL,
        submitter TEXT NOT NULL,
        skill BLOB                     -- its digest; NULL once the order was purged
    ) STRICT;
    CREATE INDEX orders_by_skill ON orders (skill, sequence) WHERE skill IS NOT NULL;
    CREATE INDEX orders_by_submitter ON orders (submitter, sequence);

    CREATE TABLE open_orders (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        state TEXT NOT NULL CHECK (state IN ('ready', 'waiting', 'running', 'verifying')),
        backend TEXT NOT NULL,
        submitter TEXT NOT NULL,
        priority INTEGER NOT NULL,
        attempt INTEGER NOT NULL,      -- attempts begun
        max_retries INTEGER NOT NULL,
        token INTEGER NOT NULL,        -- acquisitions so far
        holder TEXT,                   -- who holds the lease
        cancel INTEGER NOT NULL,       -- whether cancellation was asked for
        queued_at_ms INTEGER NOT NULL, -- by the steady clock
        queue_until_ms INTEGER,        -- by the steady clock: a first attempt must have begun by then
        set_at_ms INTEGER NOT NULL,    -- when due_ms was decided
        due_ms INTEGER NOT NULL,       -- of a waiting order: when it is ready again
        callback_url TEXT,
        trace TEXT,                    -- the submitter's traceparent
        work TEXT NOT NULL,            -- JSON
        input BLOB NOT NULL,           -- canonical JSON
        invocation TEXT                -- canonical JSON; NULL in the JSON contract
    ) STRICT;
    CREATE INDEX open_orders_ready ON open_orders (backend, submitter, priority DESC, sequence) WHERE state = 'ready';
    CREATE INDEX open_orders_waiting ON open_orders (due_ms) WHERE state = 'waiting';
    CREATE INDEX open_orders_held ON open_orders (holder) WHERE holder IS NOT NULL;

    CREATE TABLE results (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        finished_at_ms INTEGER NOT NULL,
        status TEXT NOT NULL,
        invocation TEXT,               -- as in open_orders
        result TEXT NOT NULL           -- the OrderResult as JSON
    ) STRICT;
    CREATE INDEX results_by_status ON results (status, sequence);

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
        set_at_ms INTEGER NOT NULL,    -- when due_ms was decided
        due_ms INTEGER NOT NULL,
        error TEXT,                    -- of the last delivery that failed
        trace TEXT,
        submitter TEXT NOT NULL
    ) STRICT;
    -- Submitters take turns without a look at all that is pending.
    CREATE INDEX outbox_pending ON outbox (submitter, due_ms, host, holder) WHERE state = 'pending';

    CREATE TABLE receipts_due (
        sequence INTEGER PRIMARY KEY REFERENCES orders,
        attempt INTEGER NOT NULL,
        set_at_ms INTEGER NOT NULL,    -- when due_ms was decided
        due_ms INTEGER NOT NULL,
        error TEXT                     -- why the last attempt failed
    ) STRICT;
    CREATE TABLE log_sizes (
        origin TEXT PRIMARY KEY,       -- the log's name
        entries INTEGER NOT NULL       -- numbered there, and durable
    ) STRICT, WITHOUT ROWID;

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
        digest BLOB NOT NULL,          -- of the signed envelope
        PRIMARY KEY (sequence, number)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE coverage (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        receipts INTEGER NOT NULL,     -- issued
        checked INTEGER NOT NULL,      -- orders with a verdict
        matched INTEGER NOT NULL,      -- orders with one that matched
        disputed INTEGER NOT NULL,     -- orders with one that diverged or is tampered
        inconclusive INTEGER NOT NULL  -- orders with verdicts of which none decided anything
    ) STRICT;
    INSERT INTO coverage VALUES (1, 0, 0, 0, 0, 0);

    CREATE TABLE skills (
        number INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        name TEXT NOT NULL,
        version TEXT NOT NULL,
        submitter TEXT NOT NULL,
        uploaded_at_ms INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE blob_owners (
        digest BLOB NOT NULL,
        submitter TEXT NOT NULL,       -- may name the blob in orders
        size INTEGER NOT NULL,         -- bytes
        created_ms INTEGER NOT NULL,   -- of the latest upload
        PRIMARY KEY (digest, submitter)
    ) STRICT, WITHOUT ROWID;

    CREATE TABLE holders (
        holder TEXT PRIMARY KEY,
        until_ms INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
";
