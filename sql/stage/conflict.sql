-- The first stored bar that the batch would meet, in key order.
-- kind: one
-- timestamps: ts
-- after: stage.create
SELECT series.symbol, series.timeframe, s.ts
FROM stage_bars AS s
JOIN bars AS b ON b.series_id = s.series_id AND b.ts = s.ts
JOIN series ON series.series_id = s.series_id
ORDER BY series.symbol, series.timeframe, s.ts
LIMIT 1
