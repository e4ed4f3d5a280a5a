-- A read that takes its time.
-- kind: one
SELECT pg_sleep(CAST(:seconds AS double precision))
