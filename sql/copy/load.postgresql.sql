-- The batch in bulk.
-- kind: exec
COPY pg_temp.copy_rows ({columns}) FROM STDIN (FORMAT binary)
