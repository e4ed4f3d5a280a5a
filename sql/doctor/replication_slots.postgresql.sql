-- Replication slots that nobody reads, for which the server keeps its log; and broken ones.
-- kind: many
-- allow: half because SQLite has no replication
SELECT
    CASE WHEN wal_status = 'lost' THEN 'error' ELSE 'warning' END AS severity,
    'the replication slot ' || slot_name || CASE WHEN wal_status = 'lost' THEN ' is lost' ELSE ' is inactive, and keeps the log' END AS found,
    format('start what reads it, or drop it before the disk is full: SELECT pg_drop_replication_slot(%L)', slot_name) AS remedy
FROM pg_replication_slots
WHERE NOT temporary AND (NOT active OR wal_status = 'lost')
ORDER BY found
