-- Where every load has been.
-- kind: many
SELECT load_id, series_id, first_ts, last_ts FROM load_series ORDER BY load_id, series_id
