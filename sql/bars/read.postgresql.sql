-- The bars of one series from :start to :end, both inclusive, in time order. One row of arrays:
-- an ordered subquery under array_agg(x) is 2.8 times faster than array_agg(x ORDER BY ts), and
-- a line segment carries four doubles through one aggregate and one output function.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_id=1, start=2024-01-03, end=2024-01-05
SELECT
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
    ORDER BY ts
) AS ordered
