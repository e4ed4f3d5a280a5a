-- Where a finished scratch database says what it was made from.
-- kind: script
-- allow: half because SQLite checks in memory
CREATE TABLE IF NOT EXISTS jutsu_sql_check (made_from text NOT NULL);
