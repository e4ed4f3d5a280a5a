-- What autovacuum does to bars a minute after they were loaded: nobody's sample sets hint bits.
-- kind: exec
VACUUM (ANALYZE) bars
