-- Remove what bench.create_schema has made, with everything in it.
-- kind: script
-- allow: half because SQLite has a file of its own instead
-- allow: unproven because the schema's name is only known when it runs
DO $$
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', current_setting('jutsu_bench.schema'));
END
$$
