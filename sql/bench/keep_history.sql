-- Keep what bench.keep_rows took as the bars that a table has before anything is measured.
-- kind: exec
-- after: bench.keep_rows
ALTER TABLE bench_rows RENAME TO bench_history
