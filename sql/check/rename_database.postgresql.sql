-- Give a finished scratch database its name; it fails if another check was first.
-- kind: exec
-- fill: draft=template1, name=jutsu_sql_check_0
-- allow: half because SQLite checks in memory
ALTER DATABASE {draft} RENAME TO {name}
