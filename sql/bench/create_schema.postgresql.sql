-- Make the schema that every connection of the benchmark is set to. Refuse to go on where a
-- pooler in between has dropped the setting: the tables that are emptied later must be ours.
-- kind: script
-- allow: half because SQLite has a file of its own instead
-- allow: unproven because the schema's name is only known when it runs
DO $$
DECLARE
    wanted text := current_setting('jutsu_bench.schema');
BEGIN
    EXECUTE format('CREATE SCHEMA %I', wanted);
    EXECUTE format('COMMENT ON SCHEMA %I IS %L', wanted, 'scratch space of jutsu-sql bench');
    IF current_schema() IS DISTINCT FROM wanted THEN
        RAISE EXCEPTION 'the connection does not keep its search_path';
    END IF;
END
$$
