-- Done with the batch. A rollback drops it as well.
-- kind: exec
DROP TABLE pg_temp.copy_rows
