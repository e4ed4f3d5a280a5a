-- The first and the last bar of one series, and when the last was observed.
-- kind: one
-- timestamps: first_ts, last_ts, observed_at
-- plan: index bars
-- example: series_id=1
SELECT edges.first_ts, edges.last_ts, loads.observed_at
FROM (
    SELECT min(ts) AS first_ts, max(ts) AS last_ts
    FROM bars
    WHERE series_id = CAST(:series_id AS int)
) AS edges
JOIN bars AS newest ON newest.series_id = CAST(:series_id AS int) AND newest.ts = edges.last_ts
JOIN loads ON loads.load_id = newest.load_id
