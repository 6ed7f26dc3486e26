-- Who has which role, and for which miners.
CREATE TABLE bindings (
    id         TEXT    PRIMARY KEY,
    subject    TEXT    NOT NULL,
    role       TEXT    NOT NULL,
    selector   TEXT    NOT NULL,
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    UNIQUE (subject, role, selector)
) STRICT, WITHOUT ROWID;

-- Tokens of operators; of the secret only its SHA-256.
CREATE TABLE operator_tokens (
    id         TEXT    PRIMARY KEY,
    operator   TEXT    NOT NULL,
    label      TEXT    NOT NULL,
    hash       BLOB    NOT NULL CHECK (length(hash) = 32),
    created_by TEXT    NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    revoked_at INTEGER
) STRICT, WITHOUT ROWID;

-- Every version of the payout allow-list; the newest is in force. No row = it was never set up; no entries = turned off.
CREATE TABLE payout_lists (
    version     INTEGER PRIMARY KEY,
    entries     TEXT,
    proposed_by TEXT    NOT NULL,
    approved_by TEXT,
    in_force_at INTEGER NOT NULL
) STRICT;

CREATE TABLE payout_proposals (
    id          TEXT    PRIMARY KEY,
    change      TEXT    NOT NULL,
    base        INTEGER NOT NULL,
    proposed_by TEXT    NOT NULL,
    proposed_at INTEGER NOT NULL,
    decision    TEXT,
    decided_by  TEXT,
    decided_at  INTEGER
) STRICT, WITHOUT ROWID;

-- What was changed, by whom. AUTOINCREMENT remembers how many there were, so that a cut end shows.
CREATE TABLE audit (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    at       INTEGER NOT NULL,
    who      TEXT    NOT NULL,
    origin   TEXT    NOT NULL,
    method   TEXT    NOT NULL,
    target   TEXT    NOT NULL,
    outcome  TEXT    NOT NULL,
    detail   TEXT    NOT NULL,
    trace_id TEXT    NOT NULL,
    diff     TEXT    NOT NULL,
    previous BLOB    NOT NULL CHECK (length(previous) = 32),
    hash     BLOB    NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX audit_by_target ON audit (target, sequence);

CREATE TRIGGER audit_is_never_updated BEFORE UPDATE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;

-- REPLACE deletes without asking the trigger above.
CREATE TRIGGER audit_is_never_replaced BEFORE INSERT ON audit
WHEN EXISTS (SELECT 1 FROM audit WHERE sequence = new.sequence)
BEGIN
    SELECT raise(ABORT, 'the audit log is append-only');
END;
