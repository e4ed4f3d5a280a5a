-- What a batch looks like to the engine: see jutsu_sql/sqlite_image.py. Columns without a type are
-- taken as they are; the real table checks them.
-- kind: exec
-- fill: staged="c0, c1"
-- allow: half because a batch of PostgreSQL is no file
CREATE TABLE copy_rows ({staged})
