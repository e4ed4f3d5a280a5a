-- The last :n loads, newest first.
-- kind: many
-- timestamps: observed_at, started_at, finished_at
-- example: n=2
SELECT
    load_id, kind, source, uri, content_sha256, observed_at, started_at, finished_at,
    rows_received, rows_inserted, rows_updated, rows_unchanged, rows_kept, rows_rejected,
    rows_deleted, actor, tool_version
FROM loads
ORDER BY load_id DESC
LIMIT CAST(:n AS bigint)
