-- Every load, oldest first.
-- kind: many
SELECT
    load_id, kind, source, uri, content_sha256, rows_received, rows_inserted, rows_updated,
    rows_unchanged, rows_rejected, rows_deleted
FROM loads
ORDER BY load_id
