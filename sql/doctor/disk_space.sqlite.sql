-- A disk without room for the next load: less than 1 GiB, or than a tenth of the file.
-- kind: many
-- example: disk_free_bytes=0, file_bytes=4096
-- allow: half because a client of PostgreSQL does not see the server's disk
SELECT
    CASE WHEN CAST(:disk_free_bytes AS INTEGER) < 104857600 THEN 'error' ELSE 'warning' END AS severity,
    'the disk has ' || (CAST(:disk_free_bytes AS INTEGER) / 1048576) || ' MiB free' AS found,
    'make room: a load needs about twice its own size beside the file' AS remedy
WHERE CAST(:disk_free_bytes AS INTEGER) < max(1073741824, CAST(:file_bytes AS INTEGER) / 10)
ORDER BY found
