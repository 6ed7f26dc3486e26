-- Parts of specs that are wanted by label, with what is wanted of single miners. Hold passwords.
CREATE TABLE profiles (
    name         TEXT    NOT NULL PRIMARY KEY,
    selector     TEXT    NOT NULL,
    priority     INTEGER NOT NULL,
    fragment     TEXT    NOT NULL,
    etag         TEXT    NOT NULL,
    generation   INTEGER NOT NULL,
    stored_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Counts go on where a profile of the same name is made again.
CREATE TABLE profile_counts (
    name       TEXT    NOT NULL PRIMARY KEY,
    generation INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE miner_fragments (
    miner     TEXT    NOT NULL PRIMARY KEY,
    fragment  TEXT    NOT NULL,
    etag      TEXT    NOT NULL,
    stored_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Changes made on miners themselves that are respected for a time, and changes on trial.
CREATE TABLE local_changes (
    miner TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE trials (
    miner      TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    is_over    INTEGER NOT NULL,
    PRIMARY KEY (miner, generation)
) STRICT, WITHOUT ROWID;

CREATE INDEX trials_by_end ON trials (is_over);

-- The revision counts writes: who holds an older one lost the rollout to somebody else.
CREATE TABLE rollouts (
    number       INTEGER PRIMARY KEY AUTOINCREMENT,
    id           TEXT    NOT NULL UNIQUE,
    change       TEXT    NOT NULL,
    course       TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    revision     INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    finished_at  INTEGER,
    trace_parent TEXT    NOT NULL
) STRICT;

CREATE INDEX rollouts_by_status ON rollouts (status);

CREATE TABLE rollout_targets (
    rollout INTEGER NOT NULL REFERENCES rollouts (number) ON DELETE CASCADE,
    miner   TEXT    NOT NULL,
    state   TEXT    NOT NULL,
    PRIMARY KEY (rollout, miner)
) STRICT, WITHOUT ROWID;
