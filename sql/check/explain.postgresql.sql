-- How the statement that is prepared as "checked" would run.
-- kind: many
-- fill: values=""
EXPLAIN (FORMAT JSON, COSTS OFF) EXECUTE checked{values}
