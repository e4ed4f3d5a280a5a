-- Columns in bulk. In this folder what stands in braces is filled with quoted identifiers: see
-- jutsu_sql/dialects/base.py.
-- kind: exec
INSERT INTO {table} ({columns})
SELECT {staged} FROM {batch}
