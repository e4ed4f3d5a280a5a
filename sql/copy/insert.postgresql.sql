-- Columns in bulk. In this folder what stands in braces is filled with quoted identifiers: see
-- jutsu_sql/dialects/base.py.
-- kind: exec
-- fill: table=series, columns="series_id, symbol"
COPY {table} ({columns}) FROM STDIN (FORMAT binary)
