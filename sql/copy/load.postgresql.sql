-- The batch in bulk.
-- kind: exec
-- fill: columns="series_id, symbol"
-- after: copy.stage
-- allow: half because a batch of SQLite is a file
COPY pg_temp.copy_rows ({columns}) FROM STDIN (FORMAT binary)
