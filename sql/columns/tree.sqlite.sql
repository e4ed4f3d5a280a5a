-- The columns of a table WITHOUT ROWID as its rows have them, the key first, and the root page of its tree. None, if
-- something temporary of that name stands in front of it.
-- kind: many
-- allow: half because a result of PostgreSQL comes as arrays
SELECT x.name, s.rootpage
FROM sqlite_schema AS s, pragma_index_xinfo(s.name) AS x
WHERE s.type = 'table' AND s.name = :table
    AND NOT EXISTS (SELECT 1 FROM sqlite_temp_schema AS t WHERE t.name = s.name COLLATE NOCASE)
ORDER BY x.seqno
