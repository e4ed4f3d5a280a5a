-- The sessions (weeks, months) of a calendar that series have no bar of, by their numbers: :spans is a JSON array of
-- [series_id, first number, number to end before].
-- kind: columns
-- plan: index bars
-- plan: index calendar_sessions
-- example: spans="[[1, 0, 5], [3, 2, 4]]", calendar=XNYS, timeframe=1D
SELECT json_extract(span.value, '$[0]') AS series_id, expected.number
FROM json_each(:spans) AS span
JOIN calendar_sessions AS expected
    ON
        expected.calendar = CAST(:calendar AS text)
        AND expected.timeframe = CAST(:timeframe AS text)
        AND expected.number >= json_extract(span.value, '$[1]')
        AND expected.number < json_extract(span.value, '$[2]')
WHERE NOT EXISTS (
    SELECT 1
    FROM bars
    WHERE bars.series_id = json_extract(span.value, '$[0]') AND bars.ts = expected.ts
)
ORDER BY 1, 2
