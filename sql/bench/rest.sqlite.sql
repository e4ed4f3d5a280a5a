-- Statistics of the bars that were loaded.
-- kind: exec
ANALYZE bars
