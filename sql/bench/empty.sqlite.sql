-- Empty the table, and take the log back to nothing: both sides of a comparison begin alike.
-- kind: script
DELETE FROM bars;
PRAGMA wal_checkpoint(TRUNCATE);
