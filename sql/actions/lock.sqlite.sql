-- Nothing to lock: the write transaction is the lock.
-- kind: exec
UPDATE corporate_actions SET kind = kind WHERE false
