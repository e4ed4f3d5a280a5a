-- The rows of bars for bench.load_reference.
-- kind: exec
-- allow: half because SQLite keeps the rows in a table
COPY bars (series_id, load_id, ts, open, high, low, close, volume) TO STDOUT (FORMAT binary)
