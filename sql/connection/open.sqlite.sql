-- What every new connection is set to. trusted_schema and cell_size_check keep a database that
-- somebody else made from running or hiding anything.
-- kind: script
PRAGMA foreign_keys = ON;
PRAGMA trusted_schema = OFF;
PRAGMA cell_size_check = ON;
PRAGMA synchronous = NORMAL;
PRAGMA mmap_size = 1073741824;
PRAGMA cache_size = -65536;
