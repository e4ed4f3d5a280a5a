-- Keep the bars that an undo takes away.
-- kind: exec
-- after: stage.create
INSERT INTO bar_revisions (series_id, load_id, ts, open, high, low, close, volume, superseded_by)
SELECT b.series_id, b.load_id, b.ts, b.open, b.high, b.low, b.close, b.volume, c.load_id
FROM stage_changes AS c
JOIN bars AS b ON b.series_id = c.series_id AND b.ts = c.ts
WHERE c.change = 'gone'
