-- Leave to enrol. Of the secret only its SHA-256 is kept.
CREATE TABLE enrolment_tokens (
    id             TEXT    NOT NULL PRIMARY KEY,
    secret_hash    BLOB    NOT NULL,
    created_at     INTEGER NOT NULL,
    created_by     TEXT    NOT NULL,
    expires_at     INTEGER NOT NULL,
    uses           INTEGER NOT NULL,
    uses_left      INTEGER NOT NULL CHECK (uses_left >= 0),
    needs_approval INTEGER NOT NULL,
    labels         TEXT    NOT NULL,
    revoked_at     INTEGER
) STRICT, WITHOUT ROWID;

-- Miners that asked for a certificate with a token. The labels are the token's, which may be gone.
CREATE TABLE enrolments (
    number     INTEGER PRIMARY KEY AUTOINCREMENT,
    token      TEXT    NOT NULL,
    key        TEXT    NOT NULL,
    request    TEXT    NOT NULL,
    miner      TEXT    NOT NULL,
    source     TEXT    NOT NULL,
    labels     TEXT    NOT NULL,
    state      TEXT    NOT NULL,
    asked_at   INTEGER NOT NULL,
    decided_at INTEGER,
    decided_by TEXT,
    reason     TEXT,
    serial     TEXT,
    UNIQUE (token, key)
) STRICT;

CREATE INDEX enrolments_by_state ON enrolments (state, number);
CREATE INDEX enrolments_by_miner ON enrolments (miner, state);

-- What the authority signed. Servers' certificates are not here: nobody but the authority's owner gets one.
CREATE TABLE certificates (
    serial      TEXT    NOT NULL PRIMARY KEY,
    kind        TEXT    NOT NULL,
    name        TEXT    NOT NULL,
    fingerprint TEXT    NOT NULL,
    key         TEXT    NOT NULL,
    not_before  INTEGER NOT NULL,
    not_after   INTEGER NOT NULL,
    issued_at   INTEGER NOT NULL,
    issued_by   TEXT    NOT NULL,
    chain       TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX certificates_by_holder ON certificates (kind, name, not_after);

-- Certificates that count no more, until they would have expired; also such as are not in the table above.
CREATE TABLE revocations (
    serial     TEXT    NOT NULL PRIMARY KEY,
    not_after  INTEGER NOT NULL,
    revoked_at INTEGER NOT NULL,
    revoked_by TEXT    NOT NULL,
    reason     TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
