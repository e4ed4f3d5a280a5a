-- Lock series, in id order, until the transaction ends: two loaders of one series take turns.
-- kind: many
SELECT series_id FROM series WHERE series_id = ANY(CAST(:series_ids AS int[])) ORDER BY series_id FOR UPDATE
