-- Whether an earlier check has left its scratch database.
-- kind: value
-- allow: half because SQLite checks in memory
SELECT EXISTS (SELECT 1 FROM pg_catalog.pg_database WHERE datname = 'jutsu_sql_check')
