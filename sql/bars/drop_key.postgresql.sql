-- Drop the key for a first load.
-- kind: exec
-- allow: half because the table of SQLite is its key
ALTER TABLE bars DROP CONSTRAINT bars_pkey
