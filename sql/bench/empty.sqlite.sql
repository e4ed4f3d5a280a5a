-- Empty the table, give its pages back to the file system and the log's as well: both sides of a
-- comparison begin with a file that has to grow, as a fresh load makes it.
-- kind: script
DELETE FROM bars;
VACUUM;
PRAGMA wal_checkpoint(TRUNCATE);
