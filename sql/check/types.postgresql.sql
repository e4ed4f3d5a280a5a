-- The types that values can have; the element of an array, and what a domain is made from.
-- kind: many
-- allow: half because a column of SQLite says its type by name
SELECT
    CAST(t.oid AS bigint) AS type_oid,
    CAST(t.typname AS text) AS name,
    CAST(t.typcategory AS text) AS category,
    CAST(CASE WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END AS bigint) AS element_oid,
    CAST(t.typbasetype AS bigint) AS base_oid
FROM pg_catalog.pg_type AS t
WHERE t.typtype IN ('b', 'd', 'e')
ORDER BY t.oid
