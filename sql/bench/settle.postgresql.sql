-- Nothing in the background while samples are compared, and statistics of the rows that are there.
-- kind: exec
-- allow: unproven because the schema's name is only known when it runs
DO $$
DECLARE
    schema text := current_setting('jutsu_bench.schema');
BEGIN
    EXECUTE format('ALTER TABLE %I.bars SET (autovacuum_enabled = false)', schema);
    EXECUTE format('ANALYZE %I.bars', schema);
END
$$
