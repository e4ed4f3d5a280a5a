-- Begin a nested transaction. The innermost of one name is the one that is meant.
-- kind: exec
-- allow: half because PostgreSQL's driver nests transactions
SAVEPOINT nested
