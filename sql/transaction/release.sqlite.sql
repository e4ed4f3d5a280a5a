-- End a nested transaction and keep its work.
-- kind: exec
-- allow: half because PostgreSQL's driver nests transactions
RELEASE nested
