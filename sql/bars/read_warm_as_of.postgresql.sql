-- The last :n bars of one series before :start, and all from there to :end (inclusive), as they were known at :as_of, in time
-- order. Each table is asked for its own last :n: asked for those of both at once, PostgreSQL sorts all that there are.
-- kind: columns
-- timestamps: ts, start, end, as_of
-- plan: index bars
-- example: series_id=1, start=2024-01-04, end=2024-01-31, n=1, as_of=2024-02-02T12:00Z
-- example: series_id=1, start=2024-01-04, end=2024-01-31, n=9, as_of=2024-03-01
WITH
current AS NOT MATERIALIZED (
    SELECT b.ts, b.open, b.high, b.low, b.close, b.volume
    FROM bars AS b
    JOIN loads AS written ON written.load_id = b.load_id
    WHERE b.series_id = CAST(:series_id AS int) AND b.ts <= :end AND written.finished_at <= :as_of
),
replaced AS NOT MATERIALIZED (
    SELECT r.ts, r.open, r.high, r.low, r.close, r.volume
    FROM bar_revisions AS r
    JOIN loads AS written ON written.load_id = r.load_id
    JOIN loads AS superseded ON superseded.load_id = r.superseded_by
    WHERE
        r.series_id = CAST(:series_id AS int)
        AND r.ts <= :end
        AND written.finished_at <= :as_of
        AND (superseded.finished_at > :as_of OR superseded.finished_at IS NULL)
),
last_of_each AS (
    SELECT ts FROM (SELECT ts FROM current WHERE ts < :start ORDER BY ts DESC LIMIT CAST(:n AS bigint)) AS last_current
    UNION ALL
    SELECT ts FROM (SELECT ts FROM replaced WHERE ts < :start ORDER BY ts DESC LIMIT CAST(:n AS bigint)) AS last_replaced
),
warm AS (
    SELECT coalesce(min(ts), :start) AS ts
    FROM (SELECT ts FROM last_of_each ORDER BY ts DESC LIMIT CAST(:n AS bigint)) AS before
)
SELECT
    array_agg(ts) AS ts,
    array_agg(lseg(point(open, high), point(low, close))) AS "open, high, low, close",
    array_agg(volume) AS volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM (SELECT * FROM current UNION ALL SELECT * FROM replaced) AS known
    WHERE ts >= (SELECT ts FROM warm)
    ORDER BY ts
) AS ordered
