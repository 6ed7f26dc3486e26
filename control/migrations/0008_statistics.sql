-- Texts that stand in many rows: names of miners and pools, ids of miners' databases.
CREATE TABLE share_texts (
    id   INTEGER PRIMARY KEY,
    text TEXT    NOT NULL UNIQUE
) STRICT;

INSERT INTO share_texts (text)
SELECT miner FROM share_buckets UNION SELECT database_id FROM share_buckets UNION SELECT pool FROM share_buckets;

-- Begin of the bucket before the cursor: another one with the same begin, of another pool, covers no new time.
ALTER TABLE share_cursors ADD COLUMN last_begin_ms INTEGER;

UPDATE share_cursors SET last_begin_ms = (
    SELECT begin_ms FROM share_buckets AS b
    WHERE b.miner = share_cursors.miner AND b.database_id = share_cursors.database_id ORDER BY b.sequence DESC LIMIT 1
);

-- Closed buckets as the miners counted them. One tree and short rows: tens of thousands may come in a second. `first_ms` is
-- the length in the first bucket of a span and 0 in those of other pools, so that its sum is the time that was covered.
CREATE TABLE share_rows (
    miner           INTEGER NOT NULL,
    begin_ms        INTEGER NOT NULL,
    database        INTEGER NOT NULL,
    sequence        INTEGER NOT NULL,
    pool            INTEGER NOT NULL,
    length_ms       INTEGER NOT NULL,
    first_ms        INTEGER NOT NULL,
    found           INTEGER NOT NULL,
    stale           INTEGER NOT NULL,
    duplicate       INTEGER NOT NULL,
    below_target    INTEGER NOT NULL,
    out_of_window   INTEGER NOT NULL,
    hardware_error  INTEGER NOT NULL,
    suppressed      INTEGER NOT NULL,
    submitted       INTEGER NOT NULL,
    accepted        INTEGER NOT NULL,
    rejected        INTEGER NOT NULL,
    rejects         TEXT,
    lost            INTEGER NOT NULL,
    blocks          INTEGER NOT NULL,
    submitted_work  REAL    NOT NULL,
    accepted_work   REAL    NOT NULL,
    best_difficulty REAL,
    pending_delta   INTEGER NOT NULL,
    hashes          REAL    NOT NULL,
    PRIMARY KEY (miner, begin_ms, database, sequence)
) STRICT, WITHOUT ROWID;

INSERT INTO share_rows
SELECT m.id, b.begin_ms, d.id, b.sequence, p.id, b.length_ms,
    iif(lag(b.begin_ms) OVER (PARTITION BY b.miner, b.database_id ORDER BY b.sequence) IS b.begin_ms, 0, b.length_ms),
    b.found, b.stale, b.duplicate, b.below_target, b.out_of_window, b.hardware_error, b.suppressed, b.submitted, b.accepted,
    (SELECT coalesce(sum(count), 0) FROM share_rejects WHERE bucket = b.id),
    (SELECT nullif(json_group_object(reason, count), '{}') FROM share_rejects WHERE bucket = b.id),
    b.lost, b.blocks, b.submitted_work, b.accepted_work, b.best_difficulty, b.pending_delta, b.hashes
FROM share_buckets AS b
JOIN share_texts AS m ON m.text = b.miner
JOIN share_texts AS d ON d.text = b.database_id
JOIN share_texts AS p ON p.text = b.pool;

-- Sums over a minute, an hour and a day, by the begin of the buckets.
CREATE TABLE share_rollups (
    resolution_ms  INTEGER NOT NULL,
    miner          INTEGER NOT NULL,
    begin_ms       INTEGER NOT NULL,
    pool           INTEGER NOT NULL,
    length_ms      INTEGER NOT NULL,
    first_ms       INTEGER NOT NULL,
    buckets        INTEGER NOT NULL,
    stale          INTEGER NOT NULL,
    submitted      INTEGER NOT NULL,
    accepted       INTEGER NOT NULL,
    rejected       INTEGER NOT NULL,
    submitted_work REAL    NOT NULL,
    accepted_work  REAL    NOT NULL,
    hashes         REAL    NOT NULL,
    PRIMARY KEY (resolution_ms, miner, begin_ms, pool)
) STRICT, WITHOUT ROWID;

INSERT INTO share_rollups
SELECT r.value, miner, begin_ms - begin_ms % r.value, pool, sum(length_ms), sum(first_ms), count(*), sum(stale),
    sum(submitted), sum(accepted), sum(rejected), sum(submitted_work), sum(accepted_work), sum(hashes)
FROM share_rows, json_each('[60000, 3600000, 86400000]') AS r
GROUP BY 1, 2, 3, 4;

DROP TABLE share_rejects;
DROP TABLE share_buckets;
