-- A last load that ended in the future.
-- kind: many
-- timestamps: soon
-- example: soon=0
SELECT
    'error' AS severity,
    'load ' || load_id || ' ended in the future' AS found,
    'set the clocks of this machine and of the database by NTP; until then as_of and undo order loads wrongly' AS remedy
FROM loads
WHERE load_id = (SELECT max(load_id) FROM loads WHERE finished_at IS NOT NULL) AND finished_at > :soon
ORDER BY found
