-- Give back what bench.keep_history kept.
-- kind: exec
-- after: bench.keep_history
DROP TABLE bench_history
