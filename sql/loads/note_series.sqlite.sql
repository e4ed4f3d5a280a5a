-- Note the series that a load changed and where: parallel arrays.
-- kind: exec
INSERT INTO load_series (load_id, series_id, first_ts, last_ts)
SELECT :load_id, i.value, f.value, l.value
FROM json_each(:series_ids) AS i
JOIN json_each(:firsts) AS f ON f.key = i.key
JOIN json_each(:lasts) AS l ON l.key = i.key
WHERE true
ON CONFLICT (load_id, series_id) DO UPDATE
SET
    first_ts = min(first_ts, excluded.first_ts),
    last_ts = max(last_ts, excluded.last_ts)
