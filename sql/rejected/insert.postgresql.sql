-- Keep refused rows, from a JSON array of [position, symbol, timeframe, ISO time, microseconds, reason,
-- raw]; both times may be null.
-- kind: exec
INSERT INTO rejected_bars (load_id, position, symbol, timeframe, ts, reason, raw)
SELECT
    CAST(:load_id AS int),
    CAST(r ->> 0 AS bigint),
    r ->> 1,
    r ->> 2,
    CAST(r ->> 3 AS timestamptz),
    r ->> 5,
    r ->> 6
FROM json_array_elements(CAST(:rows AS json)) AS r
