-- Take away the bars that an undo leaves nothing of.
-- kind: exec
-- after: stage.create
DELETE FROM bars
WHERE (series_id, ts) IN (SELECT series_id, ts FROM stage_changes WHERE change = 'gone')
