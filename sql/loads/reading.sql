-- How the stamps of a load's file were read.
-- kind: value
-- example: load_id=1
SELECT reading FROM load_readings WHERE load_id = CAST(:load_id AS int)
