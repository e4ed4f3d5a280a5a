-- Insert the rows whose key is not stored.
-- kind: exec
-- fill: table=series, columns="series_id, symbol", staged="c0, c1", batch=temp.copy_rows, keys=series_id
-- after: copy.stage
INSERT INTO {table} ({columns})
SELECT {staged} FROM {batch} WHERE TRUE
ON CONFLICT ({keys}) DO NOTHING
