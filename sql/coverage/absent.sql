-- The sessions (weeks, months) of a calendar from :start to :end, both inclusive, that a series has no bar of.
-- kind: many
-- timestamps: start, end, ts, open_ts, close_ts
-- plan: index bars
-- plan: index calendar_sessions
-- example: series_id=1, calendar=XNYS, start=2024-01-02, end=2024-01-31
SELECT expected.ts, expected.open_ts, expected.close_ts
FROM series
JOIN calendar_sessions AS expected
    ON
        expected.calendar = CAST(:calendar AS text)
        AND expected.timeframe = series.timeframe
        AND expected.ts BETWEEN :start AND :end
LEFT JOIN bars ON bars.series_id = CAST(:series_id AS int) AND bars.ts = expected.ts AND bars.ts BETWEEN :start AND :end
WHERE series.series_id = CAST(:series_id AS int) AND bars.series_id IS NULL
ORDER BY expected.ts
