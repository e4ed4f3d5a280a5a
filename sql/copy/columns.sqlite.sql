-- The columns of a table, with the types they are declared to have.
-- kind: many
SELECT
    name,
    type AS declared,
    "notnull" = 0 AS is_nullable,
    dflt_value IS NOT NULL AS has_default,
    hidden > 1 AS is_generated,
    pk - 1 AS key_position
FROM pragma_table_xinfo(:table_name, :schema_name)
WHERE hidden <> 1
ORDER BY cid
