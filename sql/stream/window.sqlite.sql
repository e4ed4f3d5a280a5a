-- The bars of many series from :start to :end, both inclusive, by series and then time; :n of them at most.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
SELECT series_id, ts, open, high, low, close, volume
FROM bars
WHERE series_id IN (SELECT value FROM json_each(:series_ids)) AND ts BETWEEN :start AND :end
ORDER BY series_id, ts
LIMIT :n
