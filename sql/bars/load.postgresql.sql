-- Bars in bulk, by binary COPY.
-- kind: exec
COPY bars (series_id, load_id, ts, open, high, low, close, volume) FROM STDIN (FORMAT binary)
