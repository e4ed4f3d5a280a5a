-- The series named in :names, a JSON array of [symbol, timeframe].
-- kind: many
-- example: names="[[\"AAPL\", \"1D\"], [\"MSFT\", \"1D\"]]"
SELECT series_id, symbol, timeframe
FROM series
WHERE (symbol, timeframe) IN (
    SELECT name ->> 0, name ->> 1 FROM json_array_elements(CAST(:names AS json)) AS name
)
ORDER BY series_id
