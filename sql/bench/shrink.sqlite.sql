-- Give the pages of an emptied table back to the file system, so that the next rows have to grow
-- the file, as a first load does.
-- kind: exec
-- allow: half because TRUNCATE shrinks the table of PostgreSQL
VACUUM
