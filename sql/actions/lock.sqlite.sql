-- Nothing to lock: the write transaction is the lock.
-- kind: exec
-- allow: pair because PostgreSQL locks the table
UPDATE corporate_actions SET kind = kind WHERE false
