-- How a statement would run.
-- kind: many
-- fill: statement="SELECT 1"
-- allow: rows because each engine has plans of its own
EXPLAIN QUERY PLAN {statement}
