-- The last load of the same content, if it is all in and no later load has changed anything in its
-- ranges.
-- kind: value
-- example: content_sha256=abc
SELECT max(l.load_id)
FROM loads AS l
WHERE
    l.content_sha256 = CAST(:content_sha256 AS text)
    AND l.kind = 'write'
    AND l.finished_at IS NOT NULL
    AND l.rows_kept = 0
    AND NOT EXISTS (
        SELECT 1
        FROM load_series AS mine
        JOIN load_series AS theirs ON theirs.series_id = mine.series_id
        JOIN loads AS later ON later.load_id = theirs.load_id
        WHERE
            mine.load_id = l.load_id
            AND later.finished_at > l.finished_at
            AND later.rows_inserted + later.rows_updated + later.rows_deleted > 0
            AND theirs.first_ts <= mine.last_ts
            AND theirs.last_ts >= mine.first_ts
    )
