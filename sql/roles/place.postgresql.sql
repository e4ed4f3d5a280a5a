-- The schema and the database that rights are given on.
-- kind: one
SELECT current_schema()::text AS schema, current_database()::text AS database
