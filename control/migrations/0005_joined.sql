-- What people should know of; the newest are kept.
CREATE TABLE events (
    sequence INTEGER NOT NULL PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT    NOT NULL,
    miner    TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    message  TEXT    NOT NULL
) STRICT;

CREATE INDEX events_by_miner ON events (miner, sequence);

-- The newest generation up to this one that somebody wrote for this miner, and not a rule.
ALTER TABLE desired_specs ADD COLUMN taken_over INTEGER NOT NULL DEFAULT 0;

-- The profile that a rollout brings, but for its fragment, which is the change; empty = it brings none.
ALTER TABLE rollouts ADD COLUMN profile TEXT NOT NULL DEFAULT '';
ALTER TABLE rollouts ADD COLUMN created_by TEXT NOT NULL DEFAULT '';
