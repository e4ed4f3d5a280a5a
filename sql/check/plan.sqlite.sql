-- How a statement would run.
-- kind: many
-- fill: statement="SELECT 1"
-- allow: half because PostgreSQL's EXPLAIN tells both
EXPLAIN QUERY PLAN {statement}
