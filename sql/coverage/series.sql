-- Every series, and the calendar by which it is traded.
-- kind: many
SELECT series_id, symbol, timeframe, calendar FROM series ORDER BY symbol, timeframe
