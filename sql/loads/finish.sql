-- Close a load with what it did.
-- kind: exec
-- timestamps: finished_at
UPDATE loads
SET
    finished_at = :finished_at,
    rows_received = CAST(:received AS bigint),
    rows_inserted = CAST(:inserted AS bigint),
    rows_updated = CAST(:updated AS bigint),
    rows_unchanged = CAST(:unchanged AS bigint),
    rows_rejected = CAST(:rejected AS bigint),
    rows_deleted = CAST(:deleted AS bigint)
WHERE load_id = CAST(:load_id AS int)
