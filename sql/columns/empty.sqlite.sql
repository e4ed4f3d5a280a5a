-- Forget a result; its pages are used again.
-- kind: exec
-- fill: result=temp.result_2
-- after: columns.create
-- allow: half because a result of PostgreSQL comes as arrays
DELETE FROM {result}
