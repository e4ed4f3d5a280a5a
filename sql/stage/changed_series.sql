-- The series that a merge of new bars, and of changed ones unless :new_only is 1, touches, and where.
-- kind: many
-- timestamps: first_ts, last_ts
-- after: stage.create
-- example: new_only=0
SELECT series_id, min(ts) AS first_ts, max(ts) AS last_ts
FROM stage_changes
WHERE change = 'new' OR (change = 'changed' AND CAST(:new_only AS int) = 0)
GROUP BY series_id
ORDER BY series_id
