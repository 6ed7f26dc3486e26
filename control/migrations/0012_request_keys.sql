-- Ids of requests are each caller's own, and an answer is for what was asked: a digest of it, or nothing where the id says all.
-- Answers from before count for everybody who repeats the id.
CREATE TABLE keyed_requests (
    scope       TEXT    NOT NULL,
    person      TEXT    NOT NULL,
    request_id  TEXT    NOT NULL,
    content     BLOB    NOT NULL,
    answer      TEXT    NOT NULL,
    answered_at INTEGER NOT NULL,
    PRIMARY KEY (scope, person, request_id)
) STRICT, WITHOUT ROWID;
INSERT INTO keyed_requests SELECT scope, '', request_id, x'', answer, answered_at FROM requests;
DROP TABLE requests;
ALTER TABLE keyed_requests RENAME TO requests;
CREATE INDEX requests_by_time ON requests (answered_at);
