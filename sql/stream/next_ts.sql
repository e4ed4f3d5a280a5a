-- The time of the first bar of one series from :start on.
-- kind: value
-- timestamps: ts, start
-- plan: index bars
-- example: series_id=1, start=2024-01-03T12:00Z
SELECT min(ts) AS ts
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts >= :start
