-- What every new connection is set to. trusted_schema and cell_size_check keep a database that
-- somebody else made from running or hiding anything. Only the database itself is mapped: a mapped batch
-- would be held in memory whole. A log that a big load has made long is cut when it is used again.
-- kind: script
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA synchronous = NORMAL;
PRAGMA main.mmap_size = 1073741824;
PRAGMA cache_size = -65536;
PRAGMA journal_size_limit = 67108864;
