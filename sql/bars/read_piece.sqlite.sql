-- The first :n bars of one series from :start to :end, both inclusive, in time order.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
SELECT ts, open, high, low, close, volume
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
ORDER BY ts
LIMIT CAST(:n AS bigint)
