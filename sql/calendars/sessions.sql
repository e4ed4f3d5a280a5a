-- The sessions, weeks or months of a calendar in the order of their numbers, and when each is over.
-- kind: columns
-- timestamps: ts, close_ts
-- plan: index calendar_sessions
-- example: calendar=XNYS, timeframe=1D
SELECT ts, close_ts
FROM calendar_sessions
WHERE calendar = CAST(:calendar AS text) AND timeframe = CAST(:timeframe AS text)
ORDER BY number
