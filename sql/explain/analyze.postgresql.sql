-- How a statement runs, with the time and the pages of every step.
-- kind: many
-- fill: statement="SELECT 1"
-- allow: half because SQLite measures no plan
-- allow: rows because no two runs take the same time
EXPLAIN (ANALYZE, BUFFERS, VERBOSE) {statement}
