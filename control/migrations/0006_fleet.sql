-- What was set of single miners since they were configured or enrolled: labels over those that they came with (null = taken
-- away), and why nothing is sent to them. The revision counts the writes.
CREATE TABLE miner_marks (
    miner      TEXT    NOT NULL PRIMARY KEY,
    labels     TEXT    NOT NULL,
    quarantine TEXT,
    revision   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Operations: who, how fast, and how far. The revision counts the writes to the targets.
ALTER TABLE operations ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN ramp_watts REAL NOT NULL DEFAULT 0;
ALTER TABLE operations ADD COLUMN retry_of TEXT NOT NULL DEFAULT '';
ALTER TABLE operations ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;
ALTER TABLE operation_targets ADD COLUMN detail TEXT NOT NULL DEFAULT '';
ALTER TABLE operation_targets ADD COLUMN watts REAL NOT NULL DEFAULT 0;
ALTER TABLE operation_targets ADD COLUMN revision INTEGER NOT NULL DEFAULT 0;

CREATE INDEX operation_targets_by_revision ON operation_targets (operation, revision);

-- How many targets are how far: counted with each change, so that nobody reads all of them to know.
CREATE TABLE operation_counts (
    operation INTEGER NOT NULL REFERENCES operations (number) ON DELETE CASCADE,
    state     TEXT    NOT NULL,
    targets   INTEGER NOT NULL,
    PRIMARY KEY (operation, state)
) STRICT, WITHOUT ROWID;

INSERT INTO operation_counts (operation, state, targets)
SELECT operation, state, count(*) FROM operation_targets GROUP BY operation, state;

CREATE TRIGGER operation_targets_are_counted AFTER INSERT ON operation_targets
BEGIN
    INSERT INTO operation_counts (operation, state, targets) VALUES (new.operation, new.state, 1)
    ON CONFLICT (operation, state) DO UPDATE SET targets = targets + 1;
END;

CREATE TRIGGER operation_targets_are_counted_again AFTER UPDATE OF state ON operation_targets
WHEN old.state <> new.state
BEGIN
    UPDATE operation_counts SET targets = targets - 1 WHERE operation = old.operation AND state = old.state;
    INSERT INTO operation_counts (operation, state, targets) VALUES (new.operation, new.state, 1)
    ON CONFLICT (operation, state) DO UPDATE SET targets = targets + 1;
END;

-- What miners drew when they last hashed: what resuming them will draw again.
CREATE TABLE miner_power (
    miner TEXT NOT NULL PRIMARY KEY,
    watts REAL NOT NULL,
    at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What operations collected from miners. JSON without secrets.
CREATE TABLE operation_bundles (
    operation INTEGER NOT NULL REFERENCES operations (number) ON DELETE CASCADE,
    miner     TEXT    NOT NULL,
    stored_at INTEGER NOT NULL,
    bytes     INTEGER NOT NULL,
    data      BLOB    NOT NULL,
    PRIMARY KEY (operation, miner)
) STRICT;

CREATE INDEX operation_bundles_by_time ON operation_bundles (stored_at);
