-- The series that unfinished loads other than :own_id have touched.
-- kind: many
-- example: own_id=0
SELECT loads.load_id, load_series.series_id
FROM loads
JOIN load_series ON load_series.load_id = loads.load_id
WHERE loads.finished_at IS NULL AND loads.load_id <> CAST(:own_id AS int)
ORDER BY loads.load_id, load_series.series_id
