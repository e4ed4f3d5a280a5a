-- The time of the first bar of one series from :start on.
-- kind: value
-- timestamps: ts, start
-- plan: index bars
SELECT min(ts) AS ts
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts >= :start
