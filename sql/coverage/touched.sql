-- The series that a load touched, and where.
-- kind: many
-- timestamps: first_ts, last_ts
-- example: load_id=1
SELECT series.series_id, series.timeframe, load_series.first_ts, load_series.last_ts
FROM load_series
JOIN series ON series.series_id = load_series.series_id
WHERE load_series.load_id = CAST(:load_id AS int)
ORDER BY series.series_id
