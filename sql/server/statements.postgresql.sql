-- What the server counts of the statements in this database, the costliest first.
-- kind: many
-- fill: statements="(SELECT 1::bigint AS queryid, ''::text AS query, 1::bigint AS calls, 1::bigint AS rows, 1::float8 AS mean_exec_time, 1::float8 AS total_exec_time, 1::oid AS dbid) AS s"
SELECT queryid, query, calls, rows, mean_exec_time AS mean_ms, total_exec_time AS total_ms
FROM {statements}
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND queryid IS NOT NULL
ORDER BY total_ms DESC
LIMIT 200
