-- Statistics of the rows that are there.
-- kind: exec
ANALYZE bars
