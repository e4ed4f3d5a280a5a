-- Bars of some series from :start up to, and without, :end that are not there any more: deleted (1), or taken back by an undo
-- (0), and not asked for since.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- plan: index bar_revisions
-- plan: index coverage
-- example: series_ids=[1, 3], start=2024-01-02, end=2024-01-31
SELECT gone.series_id, gone.ts, CASE WHEN remover.kind = 'delete' THEN 1 ELSE 0 END AS is_deleted
FROM bar_revisions AS gone
JOIN loads AS remover ON remover.load_id = gone.superseded_by
LEFT JOIN bars
    ON
        bars.series_id = gone.series_id
        AND bars.ts = gone.ts
        AND bars.series_id = ANY(CAST(:series_ids AS int[]))
        AND bars.ts >= :start
        AND bars.ts < :end
WHERE
    gone.series_id = ANY(CAST(:series_ids AS int[]))
    AND gone.ts >= :start
    AND gone.ts < :end
    AND bars.series_id IS NULL
    AND NOT EXISTS (
        SELECT 1
        FROM bar_revisions AS later
        JOIN loads ON loads.load_id = later.superseded_by
        WHERE later.series_id = gone.series_id AND later.ts = gone.ts AND loads.finished_at > remover.finished_at
    )
    AND NOT EXISTS (
        SELECT 1
        FROM coverage
        JOIN loads ON loads.load_id = coverage.load_id
        WHERE
            coverage.series_id = gone.series_id
            AND coverage.start_ts <= gone.ts
            AND coverage.end_ts > gone.ts
            AND loads.finished_at > remover.finished_at
            AND NOT EXISTS (SELECT 1 FROM undone_loads WHERE undone_loads.load_id = loads.load_id)
    )
ORDER BY gone.series_id, gone.ts
