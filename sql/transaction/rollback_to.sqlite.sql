-- Take back the work of a nested transaction, which stays open.
-- kind: exec
ROLLBACK TO nested
