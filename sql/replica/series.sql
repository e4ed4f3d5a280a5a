-- Every series with where it is traded, and when the latest of its bars was observed.
-- kind: many
-- timestamps: observed_at
SELECT
    series.series_id,
    series.symbol,
    series.timeframe,
    series.timezone,
    series.calendar,
    (
        SELECT max(loads.observed_at)
        FROM loads
        WHERE loads.load_id IN (SELECT bars.load_id FROM bars WHERE bars.series_id = series.series_id)
    ) AS observed_at
FROM series
ORDER BY series.symbol, series.timeframe
