-- The series that a merge of new bars, and of corrections unless :new_only is 1, has touched.
-- kind: many
SELECT DISTINCT series_id
FROM stage_changes
WHERE is_new >= CAST(:new_only AS int)
ORDER BY series_id
