-- Make the scratch database of a check.
-- kind: exec
-- allow: half because SQLite checks in memory
-- allow: unproven because no transaction makes a database
CREATE DATABASE jutsu_sql_check
