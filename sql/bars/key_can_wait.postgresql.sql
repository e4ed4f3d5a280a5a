-- 1 if the key of bars can be built after a first load: the table is empty, ours to alter, and a plain one.
-- kind: value
SELECT CASE
    WHEN pg_has_role(relowner, 'USAGE') AND relkind = 'r' AND NOT relhastriggers AND NOT relhassubclass
        THEN CASE WHEN EXISTS (SELECT 1 FROM bars) THEN 0 ELSE 1 END
    ELSE 0
END
FROM pg_class
WHERE oid = 'bars'::regclass
