-- Take away the bars that an undo leaves nothing of.
-- kind: exec
DELETE FROM bars
WHERE EXISTS (
    SELECT 1
    FROM stage_changes AS c
    WHERE c.change = 'gone' AND c.series_id = bars.series_id AND c.ts = bars.ts
)
