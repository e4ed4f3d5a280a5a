-- A name for the state that this transaction sees.
-- kind: value
SELECT pg_export_snapshot()
