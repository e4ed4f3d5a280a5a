-- How many bars series have from :start up to, and without, :end, the first and the last of them.
-- kind: many
-- timestamps: start, end, first_ts, last_ts
-- plan: index bars
-- example: series_ids=[1, 3], start=2024-01-02, end=2024-01-31
SELECT series_id, count(*) AS bars, min(ts) AS first_ts, max(ts) AS last_ts
FROM bars
WHERE series_id IN (SELECT value FROM json_each(:series_ids)) AND ts >= :start AND ts < :end
GROUP BY series_id
ORDER BY series_id
