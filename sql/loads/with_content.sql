-- The last load of the same content, if no later load has touched any series of it.
-- kind: value
SELECT max(l.load_id)
FROM loads AS l
WHERE
    l.content_sha256 = CAST(:content_sha256 AS text)
    AND l.kind = 'write'
    AND NOT EXISTS (
        SELECT 1
        FROM load_series AS mine
        JOIN load_series AS theirs ON theirs.series_id = mine.series_id
        JOIN loads AS later ON later.load_id = theirs.load_id
        WHERE mine.load_id = l.load_id AND later.finished_at > l.finished_at
    )
