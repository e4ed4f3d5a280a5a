-- Say where the series of a load are traded, and by which calendar, as far as nobody has.
-- kind: exec
UPDATE series
SET
    timezone = coalesce(timezone, CAST(:timezone AS text)),
    calendar = coalesce(calendar, CAST(:calendar AS text))
WHERE series_id IN (SELECT series_id FROM load_series WHERE load_id = CAST(:load_id AS int))
