-- All bars in the order of their key, as plain rows, to be fetched without the toolkit.
-- kind: many
-- timestamps: ts
SELECT series_id, ts, open, high, low, close, volume
FROM bars
ORDER BY series_id, ts
