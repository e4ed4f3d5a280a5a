-- Note what a load has asked its source for: parallel arrays.
-- kind: exec
INSERT INTO coverage (load_id, series_id, start_ts, end_ts)
SELECT CAST(:load_id AS int), series_id, start_ts, end_ts
FROM unnest(
    CAST(:series_ids AS int[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])
) AS t (series_id, start_ts, end_ts)
