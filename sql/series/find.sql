-- One series by its name.
-- kind: one
-- example: symbol=AAPL, timeframe=1h
SELECT series_id, timezone, calendar, last_load_id
FROM series
WHERE symbol = CAST(:symbol AS text) AND timeframe = CAST(:timeframe AS text)
