-- Sessions that leave a transaction open, or wait for a lock, for over five minutes; and prepared
-- transactions that nobody ends.
-- kind: many
-- timestamps: minutes_ago
-- example: minutes_ago="2024-01-02T00:00Z"
-- allow: half because SQLite does not know its other processes
SELECT 'warning' AS severity,
    'process ' || pid || ' of ' || coalesce(usename, '?') || ' left a transaction open at ' || state_change AS found,
    format('end it: SELECT pg_terminate_backend(%s); and set idle_in_transaction_timeout', pid) AS remedy
FROM pg_stat_activity
WHERE
    datname = current_database()
    AND state LIKE 'idle in transaction%'
    AND state_change < CAST(:minutes_ago AS timestamptz)
UNION ALL
SELECT 'warning', 'process ' || pid || ' waits for a lock since ' || query_start || ', held by ' || array_to_string(pg_blocking_pids(pid), ', '),
    'look at what holds it; lock_timeout bounds the wait'
FROM pg_stat_activity
WHERE datname = current_database() AND wait_event_type = 'Lock' AND query_start < CAST(:minutes_ago AS timestamptz)
UNION ALL
SELECT 'warning', 'the prepared transaction ' || gid || ' is open since ' || prepared,
    format('COMMIT PREPARED %L or ROLLBACK PREPARED %L', gid, gid)
FROM pg_prepared_xacts
WHERE database = current_database() AND prepared < CAST(:minutes_ago AS timestamptz)
ORDER BY found
