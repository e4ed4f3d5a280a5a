-- Move what can be moved from the write-ahead log into the file: how many pages it has, and how many of them are moved.
-- kind: many
-- allow: half because the log is SQLite's
PRAGMA wal_checkpoint(PASSIVE)
