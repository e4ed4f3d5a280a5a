-- Make a scratch database for a check.
-- kind: exec
-- fill: name=jutsu_sql_check_0
-- allow: half because SQLite checks in memory
-- allow: unproven because no transaction makes a database
CREATE DATABASE {name}
