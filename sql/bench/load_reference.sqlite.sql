-- The engine's own limit: rows that it has already, into the same table.
-- kind: exec
-- after: bench.keep_rows
INSERT INTO bars (series_id, load_id, ts, open, high, low, close, volume)
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bench_rows
