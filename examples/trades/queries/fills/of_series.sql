-- The fills of one series from :start to :end, both inclusive, in time order.
-- kind: many
-- timestamps: ts, start, end
-- plan: index fills
-- example: series_id=1, start=2024-01-01, end=2024-01-31
SELECT fill_id, ts, quantity, price, note
FROM fills
WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
ORDER BY ts, fill_id
