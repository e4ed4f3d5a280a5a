-- Every series with its first and last bar and their number.
-- kind: many
-- timestamps: first_ts, last_ts
SELECT
    series.symbol,
    series.timeframe,
    count(bars.ts) AS bars,
    min(bars.ts) AS first_ts,
    max(bars.ts) AS last_ts
FROM series
LEFT JOIN bars ON bars.series_id = series.series_id
GROUP BY series.series_id, series.symbol, series.timeframe
ORDER BY series.symbol, series.timeframe
