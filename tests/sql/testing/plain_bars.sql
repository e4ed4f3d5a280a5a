-- Every bar, one row each: the obvious way.
-- kind: many
-- timestamps: ts
SELECT
    series.symbol, series.timeframe, bars.ts,
    bars.open, bars.high, bars.low, bars.close, bars.volume
FROM bars
JOIN series ON series.series_id = bars.series_id
ORDER BY bars.series_id, bars.ts
