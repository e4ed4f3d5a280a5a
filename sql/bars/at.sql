-- One bar of one series, by its time.
-- kind: one
-- timestamps: ts
-- plan: index bars
SELECT open, high, low, close, volume
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts = :ts
