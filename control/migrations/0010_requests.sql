-- Old answers are looked for with every answer that is remembered, which read the whole table.
CREATE INDEX requests_by_time ON requests (answered_at);
