-- Note the series that a load changed and where: parallel arrays.
-- kind: exec
INSERT INTO load_series (load_id, series_id, first_ts, last_ts)
SELECT CAST(:load_id AS int), series_id, first_ts, last_ts
FROM unnest(
    CAST(:series_ids AS int[]), CAST(:firsts AS timestamptz[]), CAST(:lasts AS timestamptz[])
) AS t (series_id, first_ts, last_ts)
ON CONFLICT (load_id, series_id) DO UPDATE
SET
    first_ts = least(load_series.first_ts, excluded.first_ts),
    last_ts = greatest(load_series.last_ts, excluded.last_ts)
