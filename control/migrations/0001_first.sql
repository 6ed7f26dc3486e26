-- Times are milliseconds since the epoch; counters are what a signed 64-bit number holds.

-- Identifies this database to miners, so that the answers they remember are never taken for those of another one.
CREATE TABLE identity (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    database_id TEXT NOT NULL
) STRICT;

-- What is wanted of each miner, with its history. Holds passwords.
CREATE TABLE desired_specs (
    miner        TEXT    NOT NULL,
    generation   INTEGER NOT NULL,
    etag         TEXT    NOT NULL,
    spec         TEXT    NOT NULL,
    stored_at    INTEGER NOT NULL,
    trace_parent TEXT    NOT NULL,
    PRIMARY KEY (miner, generation)
) STRICT, WITHOUT ROWID;

-- Answers to requests that may be repeated.
CREATE TABLE requests (
    scope       TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    answer      TEXT    NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (scope, request_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE operations (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    action       TEXT    NOT NULL,
    state        TEXT    NOT NULL,
    cancelled    INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    trace_parent TEXT    NOT NULL
) STRICT;

CREATE INDEX operations_by_state ON operations (state);

CREATE TABLE operation_targets (
    operation  INTEGER NOT NULL REFERENCES operations (number) ON DELETE CASCADE,
    miner      TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    phases     TEXT    NOT NULL DEFAULT '[]',
    failure    TEXT,
    result     TEXT,
    started_at INTEGER,
    elapsed_ms INTEGER,
    PRIMARY KEY (operation, miner)
) STRICT, WITHOUT ROWID;

-- How far the buckets of each miner's database are collected; the newest ordinal is the database in use.
CREATE TABLE share_cursors (
    miner       TEXT    NOT NULL,
    database_id TEXT    NOT NULL,
    ordinal     INTEGER NOT NULL,
    sequence    INTEGER NOT NULL,
    PRIMARY KEY (miner, database_id)
) STRICT, WITHOUT ROWID;

-- Buckets that were gone before they could be collected, by the begin of the first one after the gap.
CREATE TABLE share_gaps (
    miner       TEXT    NOT NULL,
    database_id TEXT    NOT NULL,
    sequence    INTEGER NOT NULL,
    begin_ms    INTEGER NOT NULL,
    missing     INTEGER NOT NULL,
    PRIMARY KEY (miner, database_id, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE share_buckets (
    id              INTEGER PRIMARY KEY,
    miner           TEXT    NOT NULL,
    database_id     TEXT    NOT NULL,
    sequence        INTEGER NOT NULL,
    begin_ms        INTEGER NOT NULL,
    length_ms       INTEGER NOT NULL,
    pool            TEXT    NOT NULL,
    found           INTEGER NOT NULL,
    stale           INTEGER NOT NULL,
    duplicate       INTEGER NOT NULL,
    below_target    INTEGER NOT NULL,
    out_of_window   INTEGER NOT NULL,
    hardware_error  INTEGER NOT NULL,
    suppressed      INTEGER NOT NULL,
    submitted       INTEGER NOT NULL,
    accepted        INTEGER NOT NULL,
    lost            INTEGER NOT NULL,
    blocks          INTEGER NOT NULL,
    submitted_work  REAL    NOT NULL,
    accepted_work   REAL    NOT NULL,
    best_difficulty REAL,
    pending_delta   INTEGER NOT NULL,
    hashes          REAL    NOT NULL,
    UNIQUE (miner, database_id, sequence)
) STRICT;

CREATE INDEX share_buckets_by_time ON share_buckets (miner, begin_ms, id);

CREATE TABLE share_rejects (
    bucket INTEGER NOT NULL REFERENCES share_buckets (id) ON DELETE CASCADE,
    reason TEXT    NOT NULL,
    count  INTEGER NOT NULL,
    PRIMARY KEY (bucket, reason)
) STRICT, WITHOUT ROWID;
