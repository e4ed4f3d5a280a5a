-- Where rows of some series were refused, from :start up to, and without, :end.
-- kind: columns
-- timestamps: ts, start, end
-- example: series_ids=[1, 3], start=2024-01-02, end=2024-01-31
SELECT series.series_id, rejected_bars.load_id, rejected_bars.ts
FROM rejected_bars
JOIN series ON series.symbol = rejected_bars.symbol AND series.timeframe = rejected_bars.timeframe
WHERE
    series.series_id IN (SELECT value FROM json_each(:series_ids))
    AND rejected_bars.ts >= :start
    AND rejected_bars.ts < :end
ORDER BY series.series_id, rejected_bars.load_id, rejected_bars.position
