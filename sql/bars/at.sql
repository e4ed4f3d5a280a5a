-- One bar of one series, by its time.
-- kind: one
-- timestamps: ts
-- plan: index bars
-- example: series_id=1, ts=2024-01-04T00:00Z
-- example: series_id=1, ts=1999-01-01
SELECT open, high, low, close, volume
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts = :ts
