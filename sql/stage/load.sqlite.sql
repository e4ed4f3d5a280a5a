-- The batch in bulk, many rows a statement.
-- kind: exec
INSERT INTO stage_bars (series_id, load_id, ts, open, high, low, close, volume)
VALUES (:series_id, :load_id, :ts, :open, :high, :low, :close, :volume)
