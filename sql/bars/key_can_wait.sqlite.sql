-- 0: the table is its key.
-- kind: value
-- allow: pair because only PostgreSQL has to look
SELECT 0
