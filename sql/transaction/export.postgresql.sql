-- A name for the state that this transaction sees.
-- kind: value
-- allow: half because no connection of SQLite can import a state
-- allow: rows because every call gives a new name
SELECT pg_export_snapshot()
