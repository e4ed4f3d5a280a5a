-- The series named in :names, a JSON array of [symbol, timeframe], each with the state of its bars: it
-- is another one after every change of them, and NULL where changes may go unseen.
-- kind: many
-- example: names="[[\"AAPL\", \"1D\"], [\"AAPL\", \"1h\"]]"
-- allow: rows because states are random
SELECT s.series_id, s.symbol, s.timeframe, s.version::text || ' ' || g.state AS state
FROM series AS s
LEFT JOIN bars_guard AS g ON g.obstacle IS NULL
WHERE (s.symbol, s.timeframe) IN (
    SELECT name ->> 0, name ->> 1 FROM json_array_elements(CAST(:names AS json)) AS name
)
ORDER BY s.series_id
