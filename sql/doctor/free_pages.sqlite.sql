-- A file of over 64 MiB, more than half of which is free.
-- kind: many
-- allow: half because doctor.dead_rows is PostgreSQL's
SELECT
    'info' AS severity,
    (free.freelist_count * size.page_size / 1048576) || ' MiB of the file are free' AS found,
    'VACUUM gives them back to the disk, while nobody writes; loads use them again without it' AS remedy
FROM pragma_freelist_count AS free, pragma_page_count AS used, pragma_page_size AS size
WHERE free.freelist_count * 2 > used.page_count AND free.freelist_count * size.page_size > 67108864
ORDER BY found
