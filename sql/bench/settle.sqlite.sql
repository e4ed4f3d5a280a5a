-- Statistics of the rows that are there.
-- kind: script
ANALYZE bars;
