-- The times of the first and the last bar of one series from :start to :end, both inclusive.
-- kind: one
-- timestamps: start, end, first_ts, last_ts
-- plan: index bars
-- example: series_id=1, start=2024-01-03, end=2024-01-05
SELECT
    (
        SELECT min(ts)
        FROM bars
        WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
    ) AS first_ts,
    (
        SELECT max(ts)
        FROM bars
        WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
    ) AS last_ts
