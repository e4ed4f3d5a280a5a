-- What the scratch database was made from; nothing if it was never finished.
-- kind: value
-- after: check.create_mark
-- allow: half because SQLite checks in memory
SELECT max(made_from) FROM jutsu_sql_check
