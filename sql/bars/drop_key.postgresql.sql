-- Drop the key for a first load.
-- kind: exec
ALTER TABLE bars DROP CONSTRAINT bars_pkey
