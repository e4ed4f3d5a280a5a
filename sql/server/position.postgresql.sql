-- Where a server of a cluster is: which cluster, on which timeline, how far in the log, and whether it follows
-- another one. Whatever is committed and acknowledged is in the log as far as a primary says here. A standby that
-- may not look at its receiver gives the timeline of its last checkpoint.
-- kind: one
SELECT
    (SELECT system_identifier FROM pg_control_system()) AS system_identifier,
    CASE
        WHEN pg_is_in_recovery() THEN coalesce(
            (SELECT received_tli FROM pg_stat_wal_receiver),
            (SELECT timeline_id FROM pg_control_checkpoint())
        )
        ELSE CAST(
            CAST('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) AS bit(32)) AS int
        )
    END AS timeline,
    CAST(
        pg_wal_lsn_diff(
            CASE
                WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn()
                WHEN current_setting('synchronous_commit') = 'off' THEN pg_current_wal_insert_lsn()
                ELSE pg_current_wal_flush_lsn()
            END,
            '0/0'
        ) AS bigint
    ) AS lsn,
    pg_is_in_recovery() AS is_standby
