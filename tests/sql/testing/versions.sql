-- Every version of every bar, current (superseded_by is NULL) or superseded.
-- kind: many
-- timestamps: ts
SELECT
    s.symbol, s.timeframe, v.ts, v.load_id, v.open, v.high, v.low, v.close, v.volume, v.superseded_by
FROM (
    SELECT series_id, ts, load_id, open, high, low, close, volume, NULL AS superseded_by FROM bars
    UNION ALL
    SELECT series_id, ts, load_id, open, high, low, close, volume, superseded_by FROM bar_revisions
) AS v
JOIN series AS s ON s.series_id = v.series_id
ORDER BY s.symbol, s.timeframe, v.ts, v.load_id
