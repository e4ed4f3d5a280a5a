-- The bars of one series as plain rows, to be fetched without the toolkit.
-- kind: many
-- timestamps: ts
-- example: series_id=1
SELECT ts, open, high, low, close, volume
FROM bars
WHERE series_id = CAST(:series_id AS int)
ORDER BY ts
