-- A number that differs from the last one seen here if another connection has committed since.
-- kind: value
-- allow: half because connections of PostgreSQL import a state
PRAGMA data_version
