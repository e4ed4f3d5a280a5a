-- The rows of a result, without a Python object a value.
-- kind: exec
-- fill: result=temp.result_2, rows="SELECT ts, open FROM bars"
-- after: columns.create
-- allow: half because a result of PostgreSQL comes as arrays
INSERT INTO {result} {rows}
