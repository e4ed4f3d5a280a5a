-- Tables a fifth of which is dead rows, or whose statistics are old.
-- kind: many
-- allow: half because SQLite has no dead rows
SELECT 'warning' AS severity, relname || ' has ' || n_dead_tup || ' dead rows beside ' || n_live_tup AS found,
    format('VACUUM (ANALYZE) %I; and find out why autovacuum does not come', relname) AS remedy
FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_dead_tup > 10000 AND n_dead_tup > 0.25 * n_live_tup
UNION ALL
SELECT 'warning', relname || ' has changed by ' || n_mod_since_analyze || ' rows since its statistics were made',
    format('ANALYZE %I', relname)
FROM pg_stat_user_tables
WHERE schemaname = current_schema() AND n_mod_since_analyze > 100000 AND n_mod_since_analyze > 0.5 * n_live_tup
ORDER BY found
