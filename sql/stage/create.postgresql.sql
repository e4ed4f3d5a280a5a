-- The batch that may overlap what is stored, and what sets it apart from that. Until the load ends, the
-- planner is told what holds on a disk without a head: where a few bars of many change, their rows
-- are looked up one by one. At the default of 4 it reads all of bars, three times.
-- kind: script
-- allow: pair because the planner of SQLite needs not be told
SET LOCAL random_page_cost = 1.1;
SET LOCAL work_mem = '64MB';
CREATE TEMP TABLE stage_bars AS
SELECT series_id, load_id, ts, open, high, low, close, volume FROM bars WHERE 1 = 0;
CREATE TEMP TABLE stage_changes AS
SELECT
    series_id, load_id, ts, open, high, low, close, volume, CAST('' AS text) AS change,
    load_id AS old_load_id, open AS old_open, high AS old_high, low AS old_low, close AS old_close,
    volume AS old_volume
FROM bars
WHERE 1 = 0;
