-- The bars that a table has before anything is measured.
-- kind: exec
-- after: bench.keep_history
INSERT INTO bars (series_id, load_id, ts, open, high, low, close, volume)
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bench_history
