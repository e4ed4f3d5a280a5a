-- Insert new rows, replace those that differ, leave the others alone.
-- kind: exec
INSERT INTO {table} AS stored ({columns})
SELECT {staged} FROM {batch} WHERE TRUE
ON CONFLICT ({keys}) DO UPDATE SET ({values}) = ({given})
WHERE ({stored}) IS NOT ({given})
