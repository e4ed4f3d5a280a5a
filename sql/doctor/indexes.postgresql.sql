-- Invalid indexes, and a table of bars without its key.
-- kind: many
-- allow: half because SQLite builds an index whole or not at all
SELECT 'error' AS severity, 'the index ' || indexrelid::regclass || ' is invalid' AS found,
    'REINDEX INDEX CONCURRENTLY ' || indexrelid::regclass AS remedy
FROM pg_index
JOIN pg_class ON pg_class.oid = indrelid
WHERE relnamespace = current_schema()::regnamespace AND NOT (indisvalid AND indisready)
UNION ALL
SELECT 'error', 'bars has no primary key', 'ALTER TABLE bars ADD PRIMARY KEY (series_id, ts)'
WHERE NOT EXISTS (SELECT 1 FROM pg_index WHERE indrelid = 'bars'::regclass AND indisprimary)
ORDER BY found
