-- The bars of the batch that an earlier load knew better.
-- kind: columns
-- timestamps: ts
-- after: stage.create
SELECT series_id, ts
FROM stage_changes
WHERE change = 'kept'
ORDER BY series_id, ts
