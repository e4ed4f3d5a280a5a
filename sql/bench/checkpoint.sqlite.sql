-- Take the log back to nothing, so that nobody's sample pays for what went before it.
-- kind: one
-- allow: kind because SQLite says what became of it
PRAGMA wal_checkpoint(TRUNCATE)
