-- Give back what bench.keep_history kept.
-- kind: exec
DROP TABLE bench_history
