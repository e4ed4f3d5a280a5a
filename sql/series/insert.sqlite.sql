-- New series, from a JSON array of [symbol, timeframe].
-- kind: exec
INSERT INTO series (symbol, timeframe)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]')
FROM json_each(:names)
WHERE true
ORDER BY 1, 2
ON CONFLICT (symbol, timeframe) DO NOTHING
