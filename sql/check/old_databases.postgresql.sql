-- The scratch databases that nobody uses now, but for the newest three.
-- kind: many
-- allow: half because SQLite checks in memory
SELECT CAST(d.datname AS text) AS name
FROM pg_catalog.pg_database AS d
WHERE d.datname ~ '^jutsu_sql_check_[0-9a-f]{16}'
    AND pg_catalog.pg_get_userbyid(d.datdba) = current_user
    AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_stat_activity AS a WHERE a.datid = d.oid)
ORDER BY d.oid DESC
OFFSET 3
