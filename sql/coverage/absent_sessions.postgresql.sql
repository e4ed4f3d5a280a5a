-- The sessions (weeks, months) of a calendar that series have no bar of, by their numbers: :spans is a JSON array of
-- [series_id, first number, number to end before].
-- kind: columns
-- plan: index bars
-- plan: index calendar_sessions
-- example: spans="[[1, 0, 5], [3, 2, 4]]", calendar=XNYS, timeframe=1D
SELECT CAST(span ->> 0 AS int) AS series_id, expected.number
FROM json_array_elements(CAST(:spans AS json)) AS span
JOIN calendar_sessions AS expected
    ON
        expected.calendar = CAST(:calendar AS text)
        AND expected.timeframe = CAST(:timeframe AS text)
        AND expected.number >= CAST(span ->> 1 AS int)
        AND expected.number < CAST(span ->> 2 AS int)
WHERE NOT EXISTS (
    SELECT 1
    FROM bars
    WHERE bars.series_id = CAST(span ->> 0 AS int) AND bars.ts = expected.ts
)
ORDER BY 1, 2
