-- What taking back the load :undone means for one series from :start to :end: bars of it that are
-- still current go back to what they replaced ("changed") or go away ("gone"); bars that it deleted
-- and nobody has written since come back ("new"). What later loads have made is left alone.
-- kind: exec
-- timestamps: start, end
-- after: stage.create
INSERT INTO stage_changes (
    series_id, load_id, ts, open, high, low, close, volume, change,
    old_load_id, old_open, old_high, old_low, old_close, old_volume
)
SELECT
    b.series_id,
    CAST(:load_id AS int),
    b.ts,
    coalesce(r.open, b.open),
    coalesce(r.high, b.high),
    coalesce(r.low, b.low),
    coalesce(r.close, b.close),
    coalesce(r.volume, b.volume),
    CASE WHEN r.series_id IS NULL THEN 'gone' ELSE 'changed' END,
    b.load_id, b.open, b.high, b.low, b.close, b.volume
FROM bars AS b
LEFT JOIN bar_revisions AS r
    ON r.series_id = b.series_id AND r.ts = b.ts AND r.superseded_by = b.load_id
WHERE
    b.series_id = CAST(:series_id AS int)
    AND b.ts BETWEEN :start AND :end
    AND b.load_id = CAST(:undone AS int)
UNION ALL
SELECT
    r.series_id, CAST(:load_id AS int), r.ts, r.open, r.high, r.low, r.close, r.volume, 'new',
    NULL, NULL, NULL, NULL, NULL, NULL
FROM bar_revisions AS r
JOIN loads AS undone ON undone.load_id = r.superseded_by
LEFT JOIN bars AS b ON b.series_id = r.series_id AND b.ts = r.ts
WHERE
    r.series_id = CAST(:series_id AS int)
    AND r.ts BETWEEN :start AND :end
    AND r.superseded_by = CAST(:undone AS int)
    AND b.series_id IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM bar_revisions AS later
        JOIN loads AS l ON l.load_id = later.superseded_by
        WHERE later.series_id = r.series_id AND later.ts = r.ts AND l.finished_at > undone.finished_at
    )
