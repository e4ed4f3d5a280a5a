-- Begin a transaction that sees one state of the database in all of its statements.
-- kind: exec
BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY
