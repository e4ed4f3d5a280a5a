-- One row of such a batch.
-- kind: exec
INSERT INTO temp.copy_rows VALUES ({marks})
