-- The bars of one series, put together in buckets. Part i is what lies from :starts[i] up to, and without,
-- :ends[i]; it is cut every :width_s seconds from its start, and the bucket that begins so long after the
-- start gets the time that lies so long after :labels[i]. Parts of one label are one bucket. Labels rise.
-- Volumes add up as integers, of whole units and of 1e-12 of one: in any order, on any engine, the same.
-- kind: columns
-- timestamps: ts
-- plan: index bars
WITH labels AS MATERIALIZED (
    SELECT key, value FROM json_each(:labels)
),
starts AS MATERIALIZED (
    SELECT key, value FROM json_each(:starts)
),
ends AS MATERIALIZED (
    SELECT key, value FROM json_each(:ends)
),
parts AS MATERIALIZED (
    SELECT labels.value AS label, starts.value AS start_ts, ends.value AS end_ts, :width_s * 1000000 AS width
    FROM labels
    JOIN starts ON starts.key = labels.key
    JOIN ends ON ends.key = labels.key
),
buckets AS MATERIALIZED (
    SELECT
        parts.label + (bars.ts - parts.start_ts) / parts.width * parts.width AS ts,
        min(bars.ts) AS first_ts,
        max(bars.ts) AS last_ts,
        max(bars.high) AS high,
        min(bars.low) AS low,
        CAST(sum(CAST(bars.volume AS int)) AS real)
        + CAST(sum(CAST((bars.volume - CAST(bars.volume AS int)) * 1e12 + 0.5 AS int)) AS real) / 1e12 AS volume
    FROM parts
    CROSS JOIN bars
        ON bars.series_id = :series_id AND bars.ts >= parts.start_ts AND bars.ts < parts.end_ts
    GROUP BY 1
)
SELECT buckets.ts, oldest.open, buckets.high, buckets.low, newest.close, buckets.volume
FROM buckets
CROSS JOIN bars AS oldest ON oldest.series_id = :series_id AND oldest.ts = buckets.first_ts
CROSS JOIN bars AS newest ON newest.series_id = :series_id AND newest.ts = buckets.last_ts
ORDER BY buckets.ts
