-- Keep how the stamps of a load's file were read.
-- kind: exec
INSERT INTO load_readings (load_id, reading) VALUES (CAST(:load_id AS int), CAST(:reading AS text))
