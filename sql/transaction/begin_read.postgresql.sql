-- Begin a transaction that only reads; its first query decides which state all of them see.
-- kind: exec
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY
