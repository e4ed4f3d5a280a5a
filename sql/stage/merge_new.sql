-- Insert the new bars, in key order, which keeps two loaders from a deadlock.
-- kind: exec
-- after: stage.create
INSERT INTO bars (series_id, load_id, ts, open, high, low, close, volume)
SELECT series_id, load_id, ts, open, high, low, close, volume
FROM stage_changes
WHERE change = 'new'
ORDER BY series_id, ts
ON CONFLICT (series_id, ts) DO NOTHING
