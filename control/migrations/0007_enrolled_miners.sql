-- Miners that have a certificate and call home, with the labels of their token.
CREATE TABLE enrolled_miners (
    name        TEXT    NOT NULL PRIMARY KEY,
    labels      TEXT    NOT NULL,
    enrolled_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO enrolled_miners (name, labels, enrolled_at)
SELECT miner, labels, max(coalesce(decided_at, asked_at)) FROM enrolments WHERE state = 'approved' GROUP BY miner;

-- How often the database was brought back from a backup.
ALTER TABLE identity ADD COLUMN restored INTEGER NOT NULL DEFAULT 0;
