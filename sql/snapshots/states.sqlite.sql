-- The series named in :names, a JSON array of [symbol, timeframe], each with the state of its bars: it
-- is another one after every change of them, and NULL where changes may go unseen.
-- kind: many
SELECT
    s.series_id,
    s.symbol,
    s.timeframe,
    hex(v.version) || ' ' || ((SELECT schema_version FROM pragma_schema_version) - g.own_changes) AS state
FROM series AS s
LEFT JOIN series_versions AS v ON v.series_id = s.series_id
LEFT JOIN bars_guard AS g ON g.obstacle IS NULL
WHERE (s.symbol, s.timeframe) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(:names)
)
ORDER BY s.series_id
