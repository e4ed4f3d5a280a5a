-- Where one series is traded.
-- kind: exec
UPDATE series
SET timezone = CAST(:timezone AS text), calendar = CAST(:calendar AS text)
WHERE series_id = CAST(:series_id AS int)
