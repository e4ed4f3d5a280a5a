-- The batch that may overlap what is stored, and the part of it that will be written.
-- kind: script
CREATE TEMP TABLE stage_bars AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars WHERE 1 = 0;
CREATE TEMP TABLE stage_changes AS
SELECT series_id, load_id, ts, open, high, low, close, volume, 1 AS is_new FROM bars WHERE 1 = 0;
