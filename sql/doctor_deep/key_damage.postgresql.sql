-- Damage of the keys, which the extension amcheck raises as an error; reads them and their tables whole.
-- kind: many
-- allow: half because doctor_deep.file_damage is SQLite's
-- allow: compile because amcheck need not be installed
WITH keys AS MATERIALIZED (
    SELECT pg_class.oid, pg_class.relname
    FROM pg_index
    JOIN pg_class ON pg_class.oid = pg_index.indexrelid
    JOIN pg_am ON pg_am.oid = pg_class.relam
    WHERE pg_class.relnamespace = current_schema()::regnamespace AND pg_am.amname = 'btree' AND pg_index.indisvalid
)
SELECT 'error' AS severity, relname::text AS found, '' AS remedy
FROM keys
WHERE bt_index_check(oid, true) IS NULL
ORDER BY found
