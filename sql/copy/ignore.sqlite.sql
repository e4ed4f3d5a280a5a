-- Insert the rows whose key is not stored.
-- kind: exec
INSERT INTO {table} ({columns})
SELECT {staged} FROM {batch} WHERE TRUE
ON CONFLICT ({keys}) DO NOTHING
