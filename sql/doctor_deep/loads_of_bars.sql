-- Loads that bars and bar_revisions name, and that do not exist; reads both whole.
-- kind: many
WITH named (load_id) AS (
    SELECT load_id FROM bars
    UNION
    SELECT load_id FROM bar_revisions
    UNION
    SELECT superseded_by FROM bar_revisions
)
SELECT
    'error' AS severity,
    'bars of ' || count(*) || ' loads that do not exist, load_id ' || min(load_id) || ' the first' AS found,
    'restore the rows of loads from a backup: without them there is no as_of and no undo of what they wrote' AS remedy
FROM named
WHERE NOT EXISTS (SELECT 1 FROM loads WHERE loads.load_id = named.load_id)
HAVING count(*) > 0
ORDER BY found
