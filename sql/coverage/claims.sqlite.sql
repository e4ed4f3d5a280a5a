-- What loads have asked their sources for, of some series.
-- kind: columns
-- timestamps: start_ts, end_ts
-- plan: index coverage
-- example: series_ids=[1, 3]
SELECT series_id, load_id, start_ts, end_ts
FROM coverage
WHERE series_id IN (SELECT value FROM json_each(:series_ids))
ORDER BY series_id
