-- When a calendar is open, session by session: from open_ts to break_start_ts, and from break_end_ts to close_ts. Without
-- a break the second is nothing.
-- kind: columns
-- timestamps: open_ts, break_start_ts, break_end_ts, close_ts
-- plan: index calendar_sessions
-- example: calendar=XNYS
SELECT
    open_ts,
    coalesce(break_start_ts, close_ts) AS break_start_ts,
    coalesce(break_end_ts, close_ts) AS break_end_ts,
    close_ts
FROM calendar_sessions
WHERE calendar = CAST(:calendar AS text) AND timeframe = '1D' AND open_ts IS NOT NULL
ORDER BY number
