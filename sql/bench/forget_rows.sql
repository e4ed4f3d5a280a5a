-- Give back what bench.keep_rows took.
-- kind: exec
-- after: bench.keep_rows
DROP TABLE bench_rows
