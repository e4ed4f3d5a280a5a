-- Empty the table of the benchmark's own schema, and no other.
-- kind: exec
DO $$
BEGIN
    EXECUTE format('TRUNCATE %I.bars', current_setting('jutsu_bench.schema'));
END
$$
