-- Say what the scratch database was made from.
-- kind: exec
-- after: check.create_mark
-- allow: half because SQLite checks in memory
INSERT INTO jutsu_sql_check (made_from) VALUES (CAST(:made_from AS text))
