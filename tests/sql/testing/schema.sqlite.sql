-- Everything that migrations make.
-- kind: many
SELECT type AS what, name, coalesce(sql, '') AS how
FROM sqlite_master
WHERE tbl_name NOT LIKE '%yoyo%' AND tbl_name NOT LIKE 'sqlite_%'
ORDER BY 1, 2, 3
