-- The earliest observation of the bars of one series that a load replaced or deleted.
-- kind: value
-- timestamps: observed_at, start, end
-- example: series_id=1, start=2024-01-01, end=2024-01-31, load_id=2
SELECT min(l.observed_at) AS observed_at
FROM bar_revisions AS r
JOIN loads AS l ON l.load_id = r.load_id
WHERE
    r.series_id = CAST(:series_id AS int)
    AND r.ts BETWEEN :start AND :end
    AND r.superseded_by = CAST(:load_id AS int)
