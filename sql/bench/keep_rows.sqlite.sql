-- Keep the rows of bars for bench.load_reference.
-- kind: exec
-- allow: half because PostgreSQL keeps the rows in a file
CREATE TEMP TABLE bench_rows AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars
