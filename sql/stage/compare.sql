-- Find what is new and what differs, so that a replay of stored bars writes nothing.
-- Every column is NOT NULL and finite, so <> says all there is to say.
-- kind: exec
INSERT INTO stage_changes (series_id, load_id, ts, open, high, low, close, volume, is_new)
SELECT
    s.series_id, s.load_id, s.ts, s.open, s.high, s.low, s.close, s.volume,
    CASE WHEN b.series_id IS NULL THEN 1 ELSE 0 END
FROM stage_bars AS s
LEFT JOIN bars AS b ON b.series_id = s.series_id AND b.ts = s.ts
WHERE
    b.series_id IS NULL
    OR s.open <> b.open
    OR s.high <> b.high
    OR s.low <> b.low
    OR s.close <> b.close
    OR s.volume <> b.volume
