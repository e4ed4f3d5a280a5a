-- Find what is "new", what is "changed" and what is "kept", so that a replay of stored bars writes
-- nothing. A stored bar is kept when it was observed later than the batch: that covers a final bar
-- that meets a partial one, which was observed before its interval ended. Every column is NOT NULL
-- and finite, so <> says all there is to say.
-- kind: exec
-- timestamps: observed_at
-- after: stage.create
INSERT INTO stage_changes (series_id, load_id, ts, open, high, low, close, volume, change)
SELECT
    s.series_id, s.load_id, s.ts, s.open, s.high, s.low, s.close, s.volume,
    CASE
        WHEN b.series_id IS NULL THEN 'new'
        WHEN l.observed_at > :observed_at THEN 'kept'
        ELSE 'changed'
    END
FROM stage_bars AS s
LEFT JOIN bars AS b ON b.series_id = s.series_id AND b.ts = s.ts
LEFT JOIN loads AS l ON l.load_id = b.load_id
WHERE
    b.series_id IS NULL
    OR s.open <> b.open
    OR s.high <> b.high
    OR s.low <> b.low
    OR s.close <> b.close
    OR s.volume <> b.volume
