-- When the bars of one series start, from :start up to, and without, :end.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_id=1, start=2024-01-02, end=2024-01-31
SELECT ts
FROM bars
WHERE series_id = CAST(:series_id AS int) AND ts >= :start AND ts < :end
ORDER BY ts
