-- Note the load that changed these series last.
-- kind: exec
UPDATE series SET last_load_id = :load_id WHERE series_id IN (SELECT value FROM json_each(:series_ids))
