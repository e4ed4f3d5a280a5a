-- Nothing in the background while samples are compared, and statistics of the rows that are there.
-- kind: script
ALTER TABLE bars SET (autovacuum_enabled = false);
ANALYZE bars;
