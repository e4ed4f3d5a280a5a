-- Keep refused rows, from a JSON array of [position, symbol, timeframe, ISO time, microseconds, reason,
-- raw]; both times may be null.
-- kind: exec
INSERT INTO rejected_bars (load_id, position, symbol, timeframe, ts, reason, raw)
SELECT
    :load_id,
    json_extract(value, '$[0]'),
    json_extract(value, '$[1]'),
    json_extract(value, '$[2]'),
    json_extract(value, '$[4]'),
    json_extract(value, '$[5]'),
    json_extract(value, '$[6]')
FROM json_each(:rows)
