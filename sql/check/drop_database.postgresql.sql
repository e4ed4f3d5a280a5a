-- Remove a scratch database; it fails while a check uses it.
-- kind: exec
-- fill: name=jutsu_sql_check_0
-- allow: half because SQLite checks in memory
-- allow: unproven because no transaction drops a database
DROP DATABASE IF EXISTS {name}
