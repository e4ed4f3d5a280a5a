-- Every version of one bar, oldest first: who brought it, when it was known, when it was superseded.
-- kind: many
-- timestamps: ts, known_from, known_until, observed_at
-- example: series_id=1, ts=2024-01-04
SELECT
    v.load_id, l.source, l.observed_at, l.finished_at AS known_from, s.finished_at AS known_until,
    v.superseded_by, v.open, v.high, v.low, v.close, v.volume
FROM (
    SELECT load_id, open, high, low, close, volume, NULL AS superseded_by
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts = :ts
    UNION ALL
    SELECT load_id, open, high, low, close, volume, superseded_by
    FROM bar_revisions
    WHERE series_id = CAST(:series_id AS int) AND ts = :ts
) AS v
JOIN loads AS l ON l.load_id = v.load_id
LEFT JOIN loads AS s ON s.load_id = v.superseded_by
ORDER BY l.finished_at, v.load_id
