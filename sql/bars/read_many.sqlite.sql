-- The bars of many series, given in ascending order, from :start to :end, both inclusive, by series and then time; :n of them at
-- most. Ids are doubles: rows of one width are read at once.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
SELECT CAST(series_id AS real) AS series_id, ts, open, high, low, close, volume
FROM bars
WHERE bars.series_id IN (SELECT value FROM json_each(:series_ids)) AND ts BETWEEN :start AND :end
ORDER BY bars.series_id, ts
LIMIT :n
