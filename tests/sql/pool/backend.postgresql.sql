-- The process that serves this connection.
-- kind: value
SELECT pg_backend_pid()
