-- The first :n bars of one series from :start to :end, both inclusive, in time order, as in bars.read.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_id=1, start=2024-01-03, end=2024-01-31, n=2
SELECT
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
    ORDER BY ts
    LIMIT CAST(:n AS bigint)
) AS ordered
