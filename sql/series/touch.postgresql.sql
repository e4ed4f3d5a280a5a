-- Note the load that changed these series last.
-- kind: exec
UPDATE series SET last_load_id = CAST(:load_id AS int) WHERE series_id = ANY(CAST(:series_ids AS int[]))
