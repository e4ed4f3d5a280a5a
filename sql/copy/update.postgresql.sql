-- Insert new rows, replace those that differ, leave the others alone; in key order, as above.
-- A row that was inserted has no xmax.
-- kind: one
-- fill: table=series, columns="series_id, symbol", keys=series_id, values=symbol, given=excluded.symbol
-- fill: stored_as_compared=stored.symbol, given_as_compared=excluded.symbol
-- after: copy.stage
-- allow: kind because SQLite's driver counts the rows
WITH merged AS (
    INSERT INTO {table} AS stored ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {columns} FROM pg_temp.copy_rows ORDER BY {keys}
    ON CONFLICT ({keys}) DO UPDATE SET ({values}) = ROW({given})
    WHERE ROW({stored_as_compared}) IS DISTINCT FROM ROW({given_as_compared})
    RETURNING stored.xmax = 0 AS is_new
)
SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated
FROM merged
