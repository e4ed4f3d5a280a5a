-- Note that a load was taken back: what it has asked for no longer counts.
-- kind: exec
INSERT INTO undone_loads (load_id, undone_by) VALUES (CAST(:undone AS int), CAST(:load_id AS int))
