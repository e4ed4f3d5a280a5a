-- Loads that series, load_series and rejected_bars name, and that do not exist.
-- kind: many
WITH named (load_id) AS (
    SELECT last_load_id FROM series
    UNION
    SELECT load_id FROM load_series
    UNION
    SELECT load_id FROM rejected_bars
)
SELECT
    'error' AS severity,
    count(*) || ' loads are named and do not exist, load_id ' || min(load_id) || ' the first' AS found,
    'restore the rows of loads from a backup: without them there is no as_of and no undo of what they wrote' AS remedy
FROM named
WHERE load_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM loads WHERE loads.load_id = named.load_id)
HAVING count(*) > 0
ORDER BY found
