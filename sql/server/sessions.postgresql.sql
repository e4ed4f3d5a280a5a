-- Who is connected to this database, by application and state, and how long they have been in it.
-- kind: many
-- allow: rows because it counts the time that passes
SELECT application_name, coalesce(state, '') AS state, coalesce(wait_event_type, '') AS waits_for,
    count(*) AS sessions, max(extract(epoch FROM clock_timestamp() - state_change))::float8 AS longest_s
FROM pg_stat_activity
WHERE datname = current_database() AND backend_type = 'client backend'
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3
