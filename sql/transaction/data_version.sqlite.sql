-- A number that differs from the last one seen here if another connection has committed since.
-- kind: value
PRAGMA data_version
