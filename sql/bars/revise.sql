-- Keep the bars of one series from :start to :end as what the load :superseded_by is about to delete.
-- kind: exec
-- timestamps: start, end
-- plan: index bars
INSERT INTO bar_revisions (series_id, load_id, ts, open, high, low, close, volume, superseded_by)
SELECT series_id, load_id, ts, open, high, low, close, volume, CAST(:superseded_by AS int)
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
