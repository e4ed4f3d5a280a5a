-- The bars of series from :start up to, and without, :end, and how many of them are sessions (weeks, months) of a calendar.
-- kind: many
-- timestamps: start, end, first_ts, last_ts
-- plan: index bars
-- example: series_ids=[1, 3], calendar=XNYS, timeframe=1D, start=2024-01-02, end=2024-01-31
SELECT
    bars.series_id,
    count(*) AS bars,
    sum(CASE WHEN bars.ts IN (
        SELECT calendar_sessions.ts
        FROM calendar_sessions
        WHERE
            calendar_sessions.calendar = CAST(:calendar AS text)
            AND calendar_sessions.timeframe = CAST(:timeframe AS text)
    ) THEN 1 ELSE 0 END) AS sessions,
    min(bars.ts) AS first_ts,
    max(bars.ts) AS last_ts
FROM bars
WHERE bars.series_id IN (SELECT value FROM json_each(:series_ids)) AND bars.ts >= :start AND bars.ts < :end
GROUP BY bars.series_id
ORDER BY bars.series_id
