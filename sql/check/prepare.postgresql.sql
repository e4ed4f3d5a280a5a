-- Give a statement a name for check.explain.
-- kind: exec
-- fill: statement="SELECT 1"
-- allow: half because nothing has to be prepared on SQLite
-- allow: unproven because it outlives a transaction
PREPARE checked AS {statement}
