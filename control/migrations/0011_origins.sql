-- What an operator got its own certificate with: `token/ID` or `certificate/SERIAL`. NULL = an owner or an admin gave
-- it, or that was not noted yet. And until when anything may count that comes of the same token; NULL = no token stands
-- at the begin.
ALTER TABLE certificates ADD COLUMN came_of TEXT;
ALTER TABLE certificates ADD COLUMN not_beyond INTEGER;

CREATE INDEX certificates_by_origin ON certificates (came_of) WHERE came_of IS NOT NULL;
