-- Until the transaction ends, text comes in as UTF-8, whatever the database's own encoding.
-- kind: value
SELECT set_config('client_encoding', 'UTF8', TRUE)
