-- Open the file of a batch beside the database.
-- kind: exec
ATTACH :uri AS :name
