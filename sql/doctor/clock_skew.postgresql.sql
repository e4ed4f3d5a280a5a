-- Clocks of client and server that are more than two seconds apart.
-- kind: many
-- timestamps: now
-- example: now="2024-01-02T00:00Z"
-- allow: half because SQLite has the client's clock
SELECT
    'warning' AS severity,
    'the clock of the server is ' || round(extract(epoch FROM clock_timestamp() - CAST(:now AS timestamptz))::numeric, 1) || ' s from ours' AS found,
    'set both by NTP: observed_at is of the client, finished_at of the server' AS remedy
WHERE abs(extract(epoch FROM clock_timestamp() - CAST(:now AS timestamptz))) > 2
ORDER BY found
