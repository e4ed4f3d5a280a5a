-- What is held of one series after :at, and what it has cost.
-- kind: one
-- timestamps: at
-- plan: index fills
-- example: series_id=1, at=2024-01-31
-- example: series_id=9, at=2024-01-31
SELECT coalesce(sum(quantity), 0.0) AS quantity, coalesce(sum(quantity * price), 0.0) AS cost
FROM fills
WHERE series_id = CAST(:series_id AS int) AND ts <= :at
