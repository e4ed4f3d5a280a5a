-- The batch in bulk, from the file of a batch.
-- kind: exec
-- after: stage.create
INSERT INTO stage_bars (series_id, load_id, ts, open, high, low, close, volume)
SELECT series_id, load_id, ts, open, high, low, close, volume FROM batch.bar_rows
