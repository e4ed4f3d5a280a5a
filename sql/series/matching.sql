-- The series of one symbol, one timeframe, both or (with two NULLs) all of them.
-- kind: many
-- example: symbol=AAPL, timeframe=null
-- example: symbol=null, timeframe=1D
SELECT series_id, symbol, timeframe
FROM series
WHERE
    symbol = coalesce(CAST(:symbol AS text), symbol)
    AND timeframe = coalesce(CAST(:timeframe AS text), timeframe)
ORDER BY series_id
