-- The original system's columns.
-- kind: many
SELECT symbol, timeframe, open, high, low, close, volume, data_source, is_valid
FROM market_data
ORDER BY symbol, timeframe
