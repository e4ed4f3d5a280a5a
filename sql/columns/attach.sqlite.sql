-- A database in memory that a result is written to, to be read from its pages: few large ones, and
-- zeroed where they are free.
-- kind: script
-- allow: half because a result of PostgreSQL comes as arrays
-- allow: compile because nothing is attached while it is checked
ATTACH ':memory:' AS found;
PRAGMA found.page_size = 65536;
PRAGMA found.journal_mode = OFF;
PRAGMA found.secure_delete = ON;
