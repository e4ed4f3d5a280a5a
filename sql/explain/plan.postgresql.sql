-- How a statement would run.
-- kind: many
-- fill: statement="SELECT 1"
EXPLAIN (VERBOSE) {statement}
