-- Delete the bars of one series from :start to :end, both inclusive.
-- kind: exec
-- timestamps: start, end
-- plan: index bars
DELETE FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :start AND :end
