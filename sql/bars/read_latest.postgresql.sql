-- The last :n bars of one series up to :end, in time order.
-- kind: columns
-- timestamps: ts, end
-- plan: index bars
-- example: series_id=1, end=2024-01-05, n=2
SELECT
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM (
        SELECT ts, open, high, low, close, volume
        FROM bars
        WHERE series_id = CAST(:series_id AS int) AND ts <= :end
        ORDER BY ts DESC
        LIMIT CAST(:n AS bigint)
    ) AS newest
    ORDER BY ts
) AS ordered
