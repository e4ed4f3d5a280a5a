-- Set the times of a load, for fixtures.
-- kind: exec
-- timestamps: observed_at, started_at, finished_at
UPDATE loads
SET observed_at = :observed_at, started_at = :started_at, finished_at = :finished_at
WHERE load_id = CAST(:load_id AS int)
