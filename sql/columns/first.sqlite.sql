-- A row before those of the result, which count their rowids up from it: all of them as wide.
-- kind: exec
INSERT INTO found.{result} (rowid, {columns}) VALUES ({rowid}, {marks})
