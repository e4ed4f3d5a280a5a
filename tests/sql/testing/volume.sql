-- The volume of one series with one bar.
-- kind: value
SELECT volume FROM bars WHERE series_id = CAST(:series_id AS int)
