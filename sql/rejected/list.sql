-- Refused rows, of one load or of all, by load, position and series.
-- kind: many
-- timestamps: ts
-- example: load_id=null
-- example: load_id=1
SELECT load_id, position, symbol, timeframe, ts, reason, raw
FROM rejected_bars
WHERE load_id = coalesce(CAST(:load_id AS int), load_id)
ORDER BY load_id, position, symbol, timeframe
