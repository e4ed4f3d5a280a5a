-- The columns of a table as binary COPY sees them: a domain is sent as the type it is made from.
-- kind: many
-- allow: columns because each engine has its own types
-- allow: params because SQLite takes a schema and a table apart
SELECT
    CAST(a.attname AS text) AS name,
    CAST(COALESCE(NULLIF(t.typbasetype, 0), t.oid) AS bigint) AS type_oid,
    CASE WHEN t.typtype = 'd' THEN t.typtypmod ELSE a.atttypmod END AS modifier,
    t.typtype = 'e' AS is_enum,
    format_type(a.atttypid, a.atttypmod) AS declared,
    NOT (a.attnotnull OR t.typnotnull) AS is_nullable,
    a.atthasdef OR a.attidentity <> '' OR t.typdefault IS NOT NULL AS has_default,
    a.attgenerated <> '' AS is_generated,
    COALESCE(array_position(CAST(i.indkey AS smallint []), a.attnum), -1) AS key_position,
    c.relkind = 'p' AS is_partitioned
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
LEFT JOIN pg_catalog.pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
WHERE c.oid = to_regclass(:table_name)
ORDER BY a.attnum
