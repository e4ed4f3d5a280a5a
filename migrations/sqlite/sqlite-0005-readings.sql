-- How the stamps of a file became the times of its bars: one JSON text a load of a file.
-- depends: sqlite-0004-unfinished-loads

CREATE TABLE IF NOT EXISTS load_readings (
    load_id         INTEGER PRIMARY KEY,
    reading         TEXT NOT NULL
) STRICT;
