-- One load.
-- kind: one
-- timestamps: observed_at, started_at, finished_at
-- example: load_id=2
SELECT
    load_id, kind, source, uri, content_sha256, observed_at, started_at, finished_at,
    rows_received, rows_inserted, rows_updated, rows_unchanged, rows_kept, rows_rejected,
    rows_deleted, actor, tool_version
FROM loads
WHERE load_id = CAST(:load_id AS int)
