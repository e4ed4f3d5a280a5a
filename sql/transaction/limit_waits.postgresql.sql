-- Let no statement of this transaction wait for a lock any longer.
-- kind: value
SELECT set_config('lock_timeout', CAST(:timeout_ms AS text), true)
