-- How the file keeps its journal.
-- kind: value
-- allow: half because the journal is SQLite's
PRAGMA journal_mode
