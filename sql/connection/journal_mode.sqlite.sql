-- How the file keeps its journal.
-- kind: value
PRAGMA journal_mode
