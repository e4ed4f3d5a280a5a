-- Nothing to lock: the write transaction is the lock.
-- kind: many
SELECT series_id FROM series WHERE series_id IN (SELECT value FROM json_each(:series_ids)) ORDER BY series_id
