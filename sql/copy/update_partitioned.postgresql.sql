-- The same for a partitioned table, which shows no xmax: a row is new if the statement's snapshot
-- does not have its key.
-- kind: one
-- fill: table=series, columns="series_id, symbol", keys=series_id, values=symbol, given=excluded.symbol
-- fill: stored_as_compared=stored.symbol, given_as_compared=excluded.symbol
-- fill: stored_keys=stored.series_id, earlier_keys=earlier.series_id
-- after: copy.stage
-- allow: half because SQLite has no partitioned tables
WITH merged AS (
    INSERT INTO {table} AS stored ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {columns} FROM pg_temp.copy_rows ORDER BY {keys}
    ON CONFLICT ({keys}) DO UPDATE SET ({values}) = ROW({given})
    WHERE ROW({stored_as_compared}) IS DISTINCT FROM ROW({given_as_compared})
    RETURNING NOT EXISTS (
        SELECT FROM {table} AS earlier WHERE ROW({earlier_keys}) = ROW({stored_keys})
    ) AS is_new
)
SELECT count(*) FILTER (WHERE is_new) AS inserted, count(*) FILTER (WHERE NOT is_new) AS updated
FROM merged
