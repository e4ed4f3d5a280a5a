-- How a statement would run, and its identifier in pg_stat_statements.
-- kind: many
-- fill: statement="SELECT 1"
-- allow: half because SQLite's is check.plan
EXPLAIN (VERBOSE) {statement}
