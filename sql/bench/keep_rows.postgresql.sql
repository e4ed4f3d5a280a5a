-- Keep the rows of bars, to compare later ones with.
-- kind: exec
CREATE UNLOGGED TABLE bench_rows WITH (autovacuum_enabled = false) AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars
