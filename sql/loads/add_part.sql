-- Add what one part of a load over several connections has done, unless the load has been closed.
-- kind: exec
UPDATE loads
SET
    rows_received = rows_received + CAST(:received AS bigint),
    rows_inserted = rows_inserted + CAST(:inserted AS bigint),
    rows_updated = rows_updated + CAST(:updated AS bigint),
    rows_unchanged = rows_unchanged + CAST(:unchanged AS bigint),
    rows_kept = rows_kept + CAST(:kept AS bigint)
WHERE load_id = CAST(:load_id AS int) AND finished_at IS NULL
