-- Replace the stored bars that differ.
-- kind: exec
-- after: stage.create
UPDATE bars
SET
    load_id = c.load_id,
    open = c.open,
    high = c.high,
    low = c.low,
    close = c.close,
    volume = c.volume
FROM stage_changes AS c
WHERE c.change = 'changed' AND bars.series_id = c.series_id AND bars.ts = c.ts
