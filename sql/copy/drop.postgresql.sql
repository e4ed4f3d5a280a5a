-- Done with the batch. A rollback drops it as well.
-- kind: exec
-- after: copy.stage
DROP TABLE pg_temp.copy_rows
