-- When the bars of some series start, from :start up to, and without, :end.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_ids=[1], start=2024-01-02, end=2024-01-31
-- allow: order because whoever wants to know has no use for one, and a sort would take as long as the rest
SELECT array_agg(CAST(series_id AS double precision)) AS series_id, array_agg(ts) AS ts
FROM bars
WHERE series_id = ANY(CAST(:series_ids AS int[])) AND ts >= :start AND ts < :end
