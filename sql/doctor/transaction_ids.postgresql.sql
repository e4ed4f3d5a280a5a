-- A database that comes near the end of its transaction ids.
-- kind: many
-- allow: half because SQLite has none
SELECT 'error' AS severity, 'the oldest transaction id is ' || age(datfrozenxid) || ' old' AS found,
    'VACUUM (FREEZE) the oldest tables now: at 2 billion the server takes no writes' AS remedy
FROM pg_database
WHERE datname = current_database() AND age(datfrozenxid) > 1000000000
ORDER BY found
