-- Done with the batch. A rollback drops it as well.
-- kind: exec
DROP TABLE temp.copy_rows
