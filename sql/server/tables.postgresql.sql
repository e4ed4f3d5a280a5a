-- The largest tables: bytes with their indexes, rows as last estimated, and what vacuum has to do.
-- kind: many
SELECT relid::regclass::text AS name, pg_total_relation_size(relid) AS bytes, n_live_tup AS live_rows,
    n_dead_tup AS dead_rows, greatest(last_vacuum, last_autovacuum) AS vacuumed_at
FROM pg_stat_user_tables
ORDER BY 2 DESC
LIMIT 20
