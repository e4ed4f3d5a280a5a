-- One series by its name.
-- kind: one
SELECT series_id, timezone, calendar, last_load_id
FROM series
WHERE symbol = CAST(:symbol AS text) AND timeframe = CAST(:timeframe AS text)
