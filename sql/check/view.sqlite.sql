-- A view of a query: its columns have the declared types of the query's.
-- kind: exec
-- fill: view="seen", statement="SELECT 1"
-- allow: half because PostgreSQL describes a statement without a view of it
CREATE TEMP VIEW {view} AS {statement}
