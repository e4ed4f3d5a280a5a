-- Give back what bench.keep_rows took.
-- kind: exec
-- after: bench.keep_rows
-- allow: half because PostgreSQL keeps the rows in a file
DROP TABLE bench_rows
