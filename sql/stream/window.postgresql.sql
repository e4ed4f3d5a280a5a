-- The bars of many series from :start to :end, both inclusive, by series and then time; :n of them at most.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
-- example: series_ids=[1, 3], start=2024-01-01, end=2024-01-31, n=7
SELECT
    array_agg(series_id) AS series_id,
    array_agg(ts) AS ts,
    array_agg(open) AS open,
    array_agg(high) AS high,
    array_agg(low) AS low,
    array_agg(close) AS close,
    array_agg(volume) AS volume
FROM (
    SELECT series_id, ts, open, high, low, close, volume
    FROM bars
    WHERE series_id = ANY(CAST(:series_ids AS int[])) AND ts BETWEEN :start AND :end
    ORDER BY series_id, ts
    LIMIT CAST(:n AS bigint)
) AS ordered
