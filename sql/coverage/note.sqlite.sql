-- Note what a load has asked its source for: parallel arrays.
-- kind: exec
INSERT INTO coverage (load_id, series_id, start_ts, end_ts)
SELECT :load_id, i.value, s.value, e.value
FROM json_each(:series_ids) AS i
JOIN json_each(:starts) AS s ON s.key = i.key
JOIN json_each(:ends) AS e ON e.key = i.key
