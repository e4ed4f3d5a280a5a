-- Changes nothing, but fails where the database takes no writes.
-- kind: exec
DELETE FROM yoyo_lock WHERE 1 = 0
