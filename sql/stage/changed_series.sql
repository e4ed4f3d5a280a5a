-- The series that a merge of new bars, and of changed ones unless :new_only is 1, touches, and how many
-- bars of each are new.
-- kind: many
-- after: stage.create
-- example: new_only=0
SELECT series_id, count(CASE WHEN change = 'new' THEN 1 END) AS new_bars
FROM stage_changes
WHERE change = 'new' OR (change = 'changed' AND CAST(:new_only AS int) = 0)
GROUP BY series_id
ORDER BY series_id
