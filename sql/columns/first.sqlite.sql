-- A row before those of the result, which count their rowids up from it: all of them as wide.
-- kind: exec
-- fill: result=temp.result_2, columns="c0, c1", rowid=1, marks="NULL, NULL"
-- after: columns.create
-- allow: half because a result of PostgreSQL comes as arrays
INSERT INTO {result} (rowid, {columns}) VALUES ({rowid}, {marks})
