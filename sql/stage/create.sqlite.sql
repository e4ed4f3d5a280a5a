-- The batch that may overlap what is stored, and what sets it apart from that.
-- kind: script
CREATE TEMP TABLE stage_bars AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars WHERE 1 = 0;
CREATE TEMP TABLE stage_changes AS
SELECT
    series_id, load_id, ts, open, high, low, close, volume, CAST('' AS text) AS change,
    load_id AS old_load_id, open AS old_open, high AS old_high, low AS old_low, close AS old_close,
    volume AS old_volume
FROM bars
WHERE 1 = 0;
