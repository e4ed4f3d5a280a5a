-- Insert the rows whose key is not stored; in key order, which keeps two loaders from a deadlock.
-- kind: one
-- fill: table=series, columns="series_id, symbol", keys=series_id
-- after: copy.stage
-- allow: kind because SQLite's driver counts the rows
WITH merged AS (
    INSERT INTO {table} ({columns}) OVERRIDING SYSTEM VALUE
    SELECT {columns} FROM pg_temp.copy_rows ORDER BY {keys}
    ON CONFLICT ({keys}) DO NOTHING
    RETURNING 1
)
SELECT count(*) AS inserted, 0 AS updated FROM merged
