-- Every series.
-- kind: many
SELECT series_id, symbol, timeframe, last_load_id FROM series ORDER BY series_id
