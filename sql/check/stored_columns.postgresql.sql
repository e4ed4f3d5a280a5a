-- The columns of tables: whether they take NULL, and whether an index of a table that is not the
-- server's own holds them.
-- kind: many
-- allow: half because the library of SQLite does not say where a result comes from
SELECT
    CAST(a.attrelid AS bigint) AS table_oid,
    a.attnum AS position,
    CAST(a.attname AS text) AS name,
    a.attnotnull AS is_not_null,
    c.relnamespace <> 'pg_catalog'::regnamespace AND EXISTS (
        SELECT 1 FROM pg_catalog.pg_index AS i WHERE i.indrelid = c.oid AND a.attnum = ANY(i.indkey)
    ) AS is_indexed
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum
