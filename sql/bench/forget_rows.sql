-- Give back what bench.keep_rows took.
-- kind: exec
DROP TABLE bench_rows
