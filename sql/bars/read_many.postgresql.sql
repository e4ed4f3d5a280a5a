-- The bars of many series, given in ascending order, from :start to :end, both inclusive, by series and then time; :n of them at
-- most. Prices come as in bars.read. Ids are doubles: on SQLite, rows of one width are read at once.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_ids=[1, 3], start=2024-01-01, end=2024-01-31, n=7
SELECT
    array_agg(CAST(series_id AS double precision)) AS series_id,
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT bars_of_one.*
    FROM unnest(CAST(:series_ids AS int[])) AS one (series_id)
    CROSS JOIN LATERAL (
        SELECT series_id, ts, open, high, low, close, volume
        FROM bars
        WHERE bars.series_id = one.series_id AND ts BETWEEN :start AND :end
        ORDER BY ts
        LIMIT CAST(:n AS bigint)
    ) AS bars_of_one
    LIMIT CAST(:n AS bigint)
) AS ordered
