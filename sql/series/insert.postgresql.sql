-- New series, from a JSON array of [symbol, timeframe]; one that another loader has just added
-- is left alone.
-- kind: exec
INSERT INTO series (symbol, timeframe)
SELECT name ->> 0, name ->> 1
FROM json_array_elements(CAST(:names AS json)) AS name
ORDER BY 1, 2
ON CONFLICT (symbol, timeframe) DO NOTHING
