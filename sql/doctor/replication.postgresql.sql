-- Standbys that are more than a minute or 1 GiB behind, or that COMMITs wait for in vain.
-- kind: many
-- allow: half because SQLite has no standby
SELECT 'warning' AS severity,
    'the standby ' || application_name || ' is ' || coalesce(extract(epoch FROM replay_lag)::int || ' s', 'far') || ' behind' AS found,
    'look at its log, network and disk; reads from it are old' AS remedy
FROM pg_stat_replication
WHERE
    replay_lag > interval '1 minute'
    OR pg_wal_lsn_diff(CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() END, replay_lsn) > 1073741824
UNION ALL
SELECT 'error', 'synchronous_standby_names is set, and no synchronous standby is connected: COMMITs wait',
    'start the standby, or empty synchronous_standby_names'
WHERE
    current_setting('synchronous_standby_names') <> ''
    AND NOT pg_is_in_recovery()
    AND NOT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))
UNION ALL
SELECT 'warning', 'this standby replayed nothing for ' || extract(epoch FROM now() - pg_last_xact_replay_timestamp())::int || ' s, and has more to replay',
    'look at its log, and for long queries that hold replay up'
WHERE
    pg_is_in_recovery()
    AND pg_last_wal_receive_lsn() > pg_last_wal_replay_lsn()
    AND now() - pg_last_xact_replay_timestamp() > interval '1 minute'
ORDER BY found
