-- The series that a load changed, and where.
-- kind: many
-- timestamps: first_ts, last_ts
-- example: load_id=1
SELECT series_id, first_ts, last_ts
FROM load_series
WHERE load_id = CAST(:load_id AS int)
ORDER BY series_id
