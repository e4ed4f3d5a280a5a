-- Keep a write-ahead log. The setting stays with the file.
-- kind: value
-- allow: half because the journal is SQLite's
PRAGMA journal_mode = WAL
