-- Set one of the session's timeouts.
-- kind: value
-- example: name=lock_timeout, value=5000ms
-- allow: half because SQLite has only a timeout for locks, and that is the driver's
SELECT set_config(CAST(:name AS text), CAST(:value AS text), false)
