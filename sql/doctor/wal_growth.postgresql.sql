-- A log of over three times max_wal_size, or one that cannot be archived.
-- kind: many
-- allow: half because doctor.wal_file is SQLite's
SELECT 'warning' AS severity, 'pg_wal has ' || pg_size_pretty(sum(size)) AS found,
    'look for inactive slots, failing archiving and standbys that are behind' AS remedy
FROM pg_ls_waldir()
HAVING sum(size) > 3 * pg_size_bytes(current_setting('max_wal_size'))
UNION ALL
SELECT 'error', 'archiving fails since ' || last_failed_time || ' at ' || last_failed_wal,
    'look at the server''s log, and mend archive_command'
FROM pg_stat_archiver
WHERE last_failed_time > coalesce(last_archived_time, '-infinity') AND current_setting('archive_mode') <> 'off'
ORDER BY found
