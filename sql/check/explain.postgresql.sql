-- How the statement that is prepared as "checked" would run.
-- kind: many
-- fill: values="", statement="SELECT 1"
EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE checked{values}
