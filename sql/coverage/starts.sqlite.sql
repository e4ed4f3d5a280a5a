-- When the bars of some series start, from :start up to, and without, :end. Ids are doubles: rows of one width are read at once.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
SELECT CAST(bars.series_id AS real) AS series_id, bars.ts
FROM bars
WHERE bars.series_id IN (SELECT value FROM json_each(:series_ids)) AND bars.ts >= :start AND bars.ts < :end
ORDER BY bars.series_id, bars.ts
