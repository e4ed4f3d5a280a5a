-- What a batch looks like to the engine: see jutsu_sql/sqlite_image.py. Columns without a type are
-- taken as they are; the real table checks them.
-- kind: exec
CREATE TABLE copy_rows ({staged})
