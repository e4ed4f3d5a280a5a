-- End a nested transaction and keep its work.
-- kind: exec
RELEASE nested
