-- Begin a nested transaction. The innermost of one name is the one that is meant.
-- kind: exec
SAVEPOINT nested
