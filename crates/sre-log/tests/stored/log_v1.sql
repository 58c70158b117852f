-- A new log as the first version of the schema had it.
CREATE TABLE log (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    origin TEXT NOT NULL,
    size   INTEGER NOT NULL,
    root   BLOB NOT NULL CHECK (length(root) = 32)
) STRICT;
CREATE TABLE entry (
    position INTEGER PRIMARY KEY,
    sha256   BLOB NOT NULL UNIQUE CHECK (length(sha256) = 32),
    kind     TEXT NOT NULL,
    order_id TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX receipt_of_order ON entry (order_id) WHERE kind = 'receipt';
CREATE INDEX verdict_of_order ON entry (order_id) WHERE kind = 'verdict';
CREATE TABLE fringe (
    level  INTEGER PRIMARY KEY,
    hashes BLOB NOT NULL
) STRICT;
CREATE TABLE tile (
    level    INTEGER NOT NULL,
    position INTEGER NOT NULL,
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    PRIMARY KEY (level, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE cosignature (
    size INTEGER NOT NULL,
    line TEXT NOT NULL,
    PRIMARY KEY (size, line)
) STRICT, WITHOUT ROWID;
INSERT INTO log VALUES (1, 'node.example/log', 0, x'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
PRAGMA application_id = 1936876908;
PRAGMA user_version = 1;
