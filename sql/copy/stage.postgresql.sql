-- Where a batch waits to be merged: columns of the types that the table has, without its constraints.
-- kind: exec
-- fill: table=series, columns="series_id, symbol"
CREATE TEMP TABLE copy_rows ON COMMIT DROP AS
SELECT {columns} FROM {table} WITH NO DATA
