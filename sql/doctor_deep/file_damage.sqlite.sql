-- Damage of the file, by SQLite's own quick check; reads it whole.
-- kind: many
-- allow: half because doctor_deep.key_damage is PostgreSQL's
SELECT
    'error' AS severity,
    quick_check AS found,
    'restore the file from a backup; `.recover` of the sqlite3 shell saves what can be read' AS remedy
FROM pragma_quick_check
WHERE quick_check <> 'ok'
ORDER BY found
