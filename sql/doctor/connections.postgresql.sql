-- A server that is running out of connections, or has fewer than the pool may want.
-- kind: many
-- example: pool_max=1
-- allow: half because SQLite has no server
WITH server (places, used) AS (
    SELECT
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,
        (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
)
SELECT 'warning' AS severity, used || ' of ' || places || ' connections of the server are in use' AS found,
    'close what is idle, lower the pools, or raise max_connections' AS remedy
FROM server
WHERE used > 0.8 * places
UNION ALL
SELECT 'warning', 'the pool may grow to ' || CAST(:pool_max AS int) || ' connections, the server has ' || places,
    'lower pool_size and max_overflow, or raise max_connections'
FROM server
WHERE CAST(:pool_max AS int) > places
ORDER BY found
