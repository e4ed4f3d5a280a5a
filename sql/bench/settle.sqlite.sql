-- Statistics of the rows that are there.
-- kind: exec
-- allow: pair because PostgreSQL must be told which schema's table
ANALYZE bars
