-- Have the table alone until the transaction ends, or fail at once.
-- kind: exec
LOCK TABLE bars IN ACCESS EXCLUSIVE MODE NOWAIT
