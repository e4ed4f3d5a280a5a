-- Remove the scratch database of a check; it fails while another check uses it.
-- kind: exec
-- allow: half because SQLite checks in memory
-- allow: unproven because no transaction drops a database
DROP DATABASE IF EXISTS jutsu_sql_check
