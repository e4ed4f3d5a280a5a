-- When each of the last :n bars of one series up to :end was taken from its source, in time order.
-- kind: many
-- timestamps: ts, observed_at, end
-- plan: index bars
-- example: series_id=1, end=2024-01-05, n=2
SELECT newest.ts, loads.observed_at
FROM (
    SELECT ts, load_id
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts <= :end
    ORDER BY ts DESC
    LIMIT CAST(:n AS bigint)
) AS newest
JOIN loads ON loads.load_id = newest.load_id
ORDER BY newest.ts
