-- Compile a statement, without running it.
-- kind: many
-- fill: statement="SELECT 1"
EXPLAIN {statement}
