-- The bars of one series, put together in buckets. Part i is what lies from :starts[i] up to, and without,
-- :ends[i]; it is cut every :width_s seconds from its start, and the bucket that begins so long after the
-- start gets the time that lies so long after :labels[i]. Parts of one label are one bucket. Labels rise.
-- Volumes add up as integers, of whole units and of 1e-12 of one: in any order, on any engine, the same.
-- The order of the parts lets the engine sort within each, where it would sort all bars; with a join instead of
-- the two subqueries it reads all bars twice more.
-- kind: columns
-- timestamps: ts
-- plan: index bars
-- allow: example because a header has no arrays of times
SELECT
    array_agg(ts) AS ts,
    array_agg(open) AS open,
    array_agg(high) AS high,
    array_agg(low) AS low,
    array_agg(close) AS close,
    array_agg(volume) AS volume
FROM (
    SELECT
        bucket.ts,
        (SELECT open FROM bars WHERE series_id = CAST(:series_id AS int) AND ts = bucket.first_ts) AS open,
        bucket.high,
        bucket.low,
        (SELECT close FROM bars WHERE series_id = CAST(:series_id AS int) AND ts = bucket.last_ts) AS close,
        bucket.volume
    FROM (
        SELECT
            part.label + (date_bin(part.width, bars.ts, part.start_ts) - part.start_ts) AS ts,
            min(bars.ts) AS first_ts,
            max(bars.ts) AS last_ts,
            max(bars.high) AS high,
            min(bars.low) AS low,
            CAST(sum(CAST(trunc(bars.volume) AS bigint)) AS double precision)
            + CAST(sum(CAST(floor((bars.volume - trunc(bars.volume)) * 1e12 + 0.5) AS bigint)) AS double precision)
            / 1e12 AS volume
        FROM (
            SELECT label, start_ts, end_ts, make_interval(secs => CAST(:width_s AS double precision)) AS width
            FROM unnest(
                CAST(:labels AS timestamptz[]), CAST(:starts AS timestamptz[]), CAST(:ends AS timestamptz[])
            ) AS given (label, start_ts, end_ts)
            ORDER BY label
        ) AS part
        JOIN bars
            ON bars.series_id = CAST(:series_id AS int) AND bars.ts >= part.start_ts AND bars.ts < part.end_ts
        GROUP BY part.label, 1
    ) AS bucket
    ORDER BY bucket.ts
) AS ordered
