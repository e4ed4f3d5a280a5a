-- Begin a transaction that only reads; its first query decides which state all of them see.
-- kind: exec
-- allow: half because transaction.hold does it on SQLite
-- allow: unproven because it outlives a transaction
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY
