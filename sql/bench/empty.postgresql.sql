-- Empty the table of the benchmark's own schema, and no other.
-- kind: script
-- allow: unproven because the schema's name is only known when it runs
DO $$
BEGIN
    EXECUTE format('TRUNCATE %I.bars', current_setting('jutsu_bench.schema'));
END
$$
