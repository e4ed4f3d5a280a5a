-- How a statement would run, and its identifier in pg_stat_statements.
-- kind: many
-- fill: statement="SELECT 1"
EXPLAIN (VERBOSE) {statement}
