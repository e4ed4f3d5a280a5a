-- Columns in bulk. In this folder what stands in braces is filled with quoted identifiers: see
-- jutsu_sql/dialects/base.py.
-- kind: exec
-- fill: table=series, columns="series_id, symbol", staged="c0, c1", batch=temp.copy_rows
-- after: copy.stage
INSERT INTO {table} ({columns})
SELECT {staged} FROM {batch}
