-- 0: the table is its key.
-- kind: value
SELECT 0
