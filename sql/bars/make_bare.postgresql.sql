-- Have the table alone until the transaction ends, or fail at once; and drop its key for a first load.
-- kind: script
LOCK TABLE bars IN ACCESS EXCLUSIVE MODE NOWAIT;
ALTER TABLE bars DROP CONSTRAINT bars_pkey;
