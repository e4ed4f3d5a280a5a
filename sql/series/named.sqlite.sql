-- The series named in :names, a JSON array of [symbol, timeframe].
-- kind: many
SELECT series_id, symbol, timeframe
FROM series
WHERE (symbol, timeframe) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:names)
)
ORDER BY series_id
