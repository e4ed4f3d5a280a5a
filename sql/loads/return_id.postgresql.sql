-- Leave the id of a load as it was before it was taken, in the same transaction.
-- kind: exec
DELETE FROM loads WHERE load_id = CAST(:load_id AS int)
