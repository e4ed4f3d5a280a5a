-- The batch in bulk, from the image of a block.
-- kind: exec
INSERT INTO stage_bars (series_id, load_id, ts, open, high, low, close, volume)
SELECT series_id, load_id, ts, open, high, low, close, volume FROM block.bar_rows
