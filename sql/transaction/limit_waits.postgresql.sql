-- Let no statement of this transaction wait for a lock any longer.
-- kind: value
-- allow: half because SQLite has one for the connection
SELECT set_config('lock_timeout', CAST(:timeout_ms AS text), true)
