-- Take longer than a short timeout.
-- kind: value
SELECT pg_sleep(5)
