-- Loads that began over an hour ago and have not ended.
-- kind: many
-- timestamps: hour_ago
-- example: hour_ago=0
SELECT
    'warning' AS severity,
    count(*) || ' loads have not ended since over an hour, load_id ' || min(load_id) || ' the first' AS found,
    'if their writer is gone, repeat the same write, which completes it, or take it back: jutsu-sql undo ' || min(load_id) AS remedy
FROM loads
WHERE finished_at IS NULL AND started_at < :hour_ago
HAVING count(*) > 0
ORDER BY found
