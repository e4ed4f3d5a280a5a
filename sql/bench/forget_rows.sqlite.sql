-- Give back what bench.keep_rows took.
-- kind: script
DROP TABLE bench_rows;
