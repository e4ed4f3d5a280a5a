-- Take back the work of a nested transaction, which stays open.
-- kind: exec
-- allow: half because PostgreSQL's driver nests transactions
ROLLBACK TO nested
