-- Find what is "new", what is "changed" and what is "kept", so that a replay of stored bars writes
-- nothing. A stored bar is kept when it was observed later than the batch: that covers a final bar
-- that meets a partial one, which was observed before its interval ended. Every column is NOT NULL
-- and finite, so <> says all there is to say. The old values come along, so that the ledger needs not
-- look them up again.
-- kind: exec
-- timestamps: observed_at
-- after: stage.create
INSERT INTO stage_changes (
    series_id, load_id, ts, open, high, low, close, volume, change,
    old_load_id, old_open, old_high, old_low, old_close, old_volume
)
SELECT
    s.series_id, s.load_id, s.ts, s.open, s.high, s.low, s.close, s.volume,
    CASE
        WHEN b.series_id IS NULL THEN 'new'
        WHEN l.observed_at > :observed_at THEN 'kept'
        ELSE 'changed'
    END,
    b.load_id, b.open, b.high, b.low, b.close, b.volume
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
