-- The batch in bulk, by binary COPY.
-- kind: exec
-- after: stage.create
COPY stage_bars (series_id, load_id, ts, open, high, low, close, volume) FROM STDIN (FORMAT binary)
