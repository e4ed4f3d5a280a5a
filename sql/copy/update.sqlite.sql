-- Insert new rows, replace those that differ, leave the others alone.
-- kind: exec
-- fill: table=series, columns="series_id, symbol", staged="c0, c1", batch=temp.copy_rows, keys=series_id
-- fill: values=symbol, stored=stored.symbol, given=excluded.symbol
-- after: copy.stage
INSERT INTO {table} AS stored ({columns})
SELECT {staged} FROM {batch} WHERE TRUE
ON CONFLICT ({keys}) DO UPDATE SET ({values}) = ({given})
WHERE ({stored}) IS NOT ({given})
