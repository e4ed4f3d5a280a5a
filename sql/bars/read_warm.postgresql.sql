-- The last :n bars of one series before :start, and all from there to :end (inclusive), in time order.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_id=1, start=2024-01-04, end=2024-01-05, n=1
SELECT
    array_agg(ts) AS ts,
    array_agg(open) AS open,
    array_agg(high) AS high,
    array_agg(low) AS low,
    array_agg(close) AS close,
    array_agg(volume) AS volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM bars
    WHERE
        series_id = CAST(:series_id AS int)
        AND ts <= :end
        AND ts >= coalesce(
            (
                SELECT min(ts)
                FROM (
                    SELECT ts
                    FROM bars
                    WHERE series_id = CAST(:series_id AS int) AND ts < :start
                    ORDER BY ts DESC
                    LIMIT CAST(:n AS bigint)
                ) AS before
            ),
            :start
        )
    ORDER BY ts
) AS ordered
