-- A version that is too old, no longer maintained, or newer than what was tested.
-- kind: many
-- timestamps: now
-- example: now="2024-01-02T00:00Z"
-- allow: half because the versions of SQLite are a matter of the library
WITH running (major, version) AS (
    SELECT current_setting('server_version_num')::int / 10000, current_setting('server_version')
),
maintained (major, until) AS (
    VALUES (15, date '2027-11-11'), (16, date '2028-11-09'), (17, date '2029-11-08'), (18, date '2030-11-14')
)
SELECT
    CASE WHEN running.major < 15 THEN 'error' ELSE 'warning' END AS severity,
    'PostgreSQL ' || running.version || CASE
        WHEN running.major < 15 THEN ' is older than 15'
        WHEN maintained.until IS NULL THEN ' is newer than what this version was tested with'
        ELSE ' gets no fixes since ' || maintained.until
    END AS found,
    'use PostgreSQL 15 to 18, the latest minor release of it' AS remedy
FROM running
LEFT JOIN maintained ON maintained.major = running.major
WHERE maintained.until IS NULL OR maintained.until < CAST(:now AS timestamptz)
ORDER BY found
