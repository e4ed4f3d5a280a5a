-- Take the log back to nothing, so that nobody's sample pays for what went before it.
-- kind: one
PRAGMA wal_checkpoint(TRUNCATE)
