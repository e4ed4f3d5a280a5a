-- Have the table alone until the transaction ends, or fail at once.
-- kind: exec
-- allow: half because a transaction of SQLite has the database alone
LOCK TABLE bars IN ACCESS EXCLUSIVE MODE NOWAIT
