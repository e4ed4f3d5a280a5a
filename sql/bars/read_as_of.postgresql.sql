-- The bars of one series from :start to :end as they were known at :as_of, in time order.
-- kind: columns
-- timestamps: ts, start, end, as_of
-- plan: index bars
-- example: series_id=1, start=2024-01-01, end=2024-01-31, as_of=2024-02-02T12:00Z
-- example: series_id=1, start=2024-01-01, end=2024-01-31, as_of=2024-03-01
SELECT
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT b.ts, b.open, b.high, b.low, b.close, b.volume
    FROM bars AS b
    JOIN loads AS written ON written.load_id = b.load_id
    WHERE
        b.series_id = CAST(:series_id AS int)
        AND b.ts BETWEEN :start AND :end
        AND written.finished_at <= :as_of
    UNION ALL
    SELECT r.ts, r.open, r.high, r.low, r.close, r.volume
    FROM bar_revisions AS r
    JOIN loads AS written ON written.load_id = r.load_id
    JOIN loads AS superseded ON superseded.load_id = r.superseded_by
    WHERE
        r.series_id = CAST(:series_id AS int)
        AND r.ts BETWEEN :start AND :end
        AND written.finished_at <= :as_of
        AND (superseded.finished_at > :as_of OR superseded.finished_at IS NULL)
    ORDER BY ts
) AS ordered
