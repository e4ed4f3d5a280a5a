-- Close a load whose writer is gone: what it had done by now is what it did. Loads over several connections
-- are the only ones that are seen unfinished, and other engines have none.
-- kind: exec
-- allow: half because a load of SQLite is one transaction
UPDATE loads
SET finished_at = clock_timestamp()
WHERE load_id = CAST(:load_id AS int) AND finished_at IS NULL
