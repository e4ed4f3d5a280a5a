-- Close a load with what it did. It is known from now on, by the database's own clock, and later than
-- the load before it.
-- kind: exec
UPDATE loads
SET
    finished_at = greatest(
        clock_timestamp(),
        (SELECT max(finished_at) FROM (SELECT finished_at FROM loads WHERE load_id < CAST(:load_id AS int) ORDER BY load_id DESC LIMIT 1) AS previous)
            + interval '1 microsecond'
    ),
    rows_received = CAST(:received AS bigint),
    rows_inserted = CAST(:inserted AS bigint),
    rows_updated = CAST(:updated AS bigint),
    rows_unchanged = CAST(:unchanged AS bigint),
    rows_kept = CAST(:kept AS bigint),
    rows_rejected = CAST(:rejected AS bigint),
    rows_deleted = CAST(:deleted AS bigint)
WHERE load_id = CAST(:load_id AS int)
