-- Leave the id of a load as it was before it was taken, in the same transaction.
-- kind: exec
-- allow: half because a load of SQLite is one transaction
DELETE FROM loads WHERE load_id = CAST(:load_id AS int)
