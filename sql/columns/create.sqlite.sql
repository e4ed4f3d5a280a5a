-- Where the rows of a result go. Columns without a type keep values as they are: a double takes
-- eight bytes, whole or not.
-- kind: exec
-- fill: result=temp.result_2, columns="c0, c1"
-- allow: half because a result of PostgreSQL comes as arrays
CREATE TABLE IF NOT EXISTS {result} ({columns})
