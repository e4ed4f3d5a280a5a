-- Move what can be moved from the write-ahead log into the file: how many pages it has, and how many of them are moved.
-- kind: many
-- allow: half because the log is SQLite's
-- allow: rows because a database in memory has none
PRAGMA wal_checkpoint(PASSIVE)
