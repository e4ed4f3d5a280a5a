-- Close the file of a batch.
-- kind: exec
DETACH :name
