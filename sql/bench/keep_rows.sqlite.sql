-- Keep the rows of bars for bench.load_reference, and to compare later ones with.
-- kind: exec
-- allow: pair because all connections of PostgreSQL's pool must see the table
CREATE TEMP TABLE bench_rows AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars
