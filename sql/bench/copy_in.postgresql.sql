-- Bars row by row, by COPY in its text format.
-- kind: exec
-- allow: half because SQLite has no COPY
COPY bars (series_id, load_id, ts, open, high, low, close, volume) FROM STDIN
