-- Begin a transaction that may write. A deferred one that reads first fails at its first write
-- when another writer has been faster, whatever the timeout.
-- kind: exec
-- allow: half because PostgreSQL's driver begins transactions
BEGIN IMMEDIATE
