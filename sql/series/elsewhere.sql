-- The series of a load that are known to be of another time zone or calendar.
-- kind: many
-- example: load_id=1, timezone="Asia/Tokyo", calendar=null
SELECT series.symbol, series.timeframe, series.timezone, series.calendar
FROM load_series
JOIN series ON series.series_id = load_series.series_id
WHERE
    load_series.load_id = CAST(:load_id AS int)
    AND (series.timezone <> CAST(:timezone AS text) OR series.calendar <> CAST(:calendar AS text))
ORDER BY series.symbol, series.timeframe
