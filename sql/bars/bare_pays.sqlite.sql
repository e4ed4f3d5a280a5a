-- 1 if a load of :rows bars is faster without the triggers of bars, which cost a microsecond a row; taking
-- them away and putting them back costs 0.3 ms, and every other connection reads the schema anew.
-- kind: value
SELECT CAST(:rows AS bigint) >= 1000
