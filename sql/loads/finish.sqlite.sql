-- Close a load with what it did. It is known from now on, by the database's own clock, and later than
-- the load before it.
-- kind: exec
UPDATE loads
SET
    finished_at = max(
        CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER) * 1000,
        coalesce((SELECT finished_at + 1 FROM loads WHERE load_id < :load_id ORDER BY load_id DESC LIMIT 1), 0)
    ),
    rows_received = CAST(:received AS bigint),
    rows_inserted = CAST(:inserted AS bigint),
    rows_updated = CAST(:updated AS bigint),
    rows_unchanged = CAST(:unchanged AS bigint),
    rows_kept = CAST(:kept AS bigint),
    rows_rejected = CAST(:rejected AS bigint),
    rows_deleted = CAST(:deleted AS bigint)
WHERE load_id = CAST(:load_id AS int)
