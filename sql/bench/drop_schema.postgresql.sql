-- Remove what bench.create_schema has made, with everything in it.
-- kind: script
DO $$
BEGIN
    EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', current_setting('jutsu_bench.schema'));
END
$$
