-- 1 if the key of bars is better built after a load of :rows bars: they are many, the table is empty,
-- ours to alter, and a plain one.
-- kind: value
-- example: rows=10
SELECT CASE
    WHEN CAST(:rows AS bigint) < 100000 THEN 0
    WHEN
        NOT pg_has_role(b.relowner, 'USAGE')
        OR b.relkind <> 'r'
        OR b.relhassubclass
        OR EXISTS (
            SELECT 1 FROM pg_trigger AS g
            WHERE g.tgrelid = b.oid AND NOT g.tgisinternal AND g.tgname NOT IN ('renew', 'renew_replicated')
        )
        THEN 0
    WHEN EXISTS (SELECT 1 FROM bars) THEN 0
    ELSE 1
END
FROM pg_class AS b
WHERE b.oid = 'bars'::regclass
