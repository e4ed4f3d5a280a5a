-- Forget a load that was begun, and of which nothing is in.
-- kind: exec
DELETE FROM loads
WHERE
    load_id = CAST(:load_id AS int)
    AND finished_at IS NULL
    AND NOT EXISTS (SELECT 1 FROM load_series WHERE load_series.load_id = loads.load_id)
