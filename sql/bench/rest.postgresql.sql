-- What autovacuum does to bars a minute after they were loaded: nobody's sample sets hint bits.
-- kind: exec
-- allow: pair because SQLite has no hint bits
-- allow: unproven because no transaction vacuums
VACUUM (ANALYZE) bars
