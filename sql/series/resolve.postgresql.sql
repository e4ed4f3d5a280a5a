-- The ids of the series named in :names, a JSON array of [symbol, timeframe], locked in id
-- order until the transaction ends, so that two loaders of one series take turns.
-- kind: many
SELECT series_id, symbol, timeframe
FROM series
WHERE (symbol, timeframe) IN (
    SELECT name ->> 0, name ->> 1 FROM json_array_elements(CAST(:names AS json)) AS name
)
ORDER BY series_id
FOR UPDATE
