-- One row of such a batch.
-- kind: exec
-- fill: marks="NULL, NULL"
-- after: copy.stage
-- allow: half because PostgreSQL copies rows
INSERT INTO temp.copy_rows VALUES ({marks})
