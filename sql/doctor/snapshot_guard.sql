-- Why changes of bars may go unseen, so that nothing is answered from snapshots.
-- kind: many
SELECT
    'warning' AS severity,
    coalesce(bars_guard.obstacle, 'bars_guard finds no bars_state') AS found,
    'take away what was added to bars and series, or migrate again: until then every read goes to the database' AS remedy
FROM (SELECT 1 AS only_row) AS once
LEFT JOIN bars_guard ON true
WHERE bars_guard.obstacle IS NOT NULL OR NOT EXISTS (SELECT 1 FROM bars_state)
ORDER BY found
