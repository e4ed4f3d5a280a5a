-- Keep a write-ahead log. The setting stays with the file.
-- kind: value
PRAGMA journal_mode = WAL
