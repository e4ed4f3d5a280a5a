-- A write-ahead log beyond 256 MiB.
-- kind: many
-- example: wal_bytes=0
-- allow: half because doctor.wal_growth asks the server
SELECT
    'warning' AS severity,
    'the write-ahead log has ' || (CAST(:wal_bytes AS INTEGER) / 1048576) || ' MiB' AS found,
    'end the connection that has been reading for long: while it does, the log cannot be used again' AS remedy
WHERE CAST(:wal_bytes AS INTEGER) > 268435456
ORDER BY found
