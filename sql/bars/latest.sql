-- The last :n bars of one series, oldest first.
-- kind: many
-- timestamps: ts
-- plan: index bars
-- example: series_id=1, n=3
SELECT ts, open, high, low, close, volume
FROM (
    SELECT ts, open, high, low, close, volume
    FROM bars
    WHERE series_id = CAST(:series_id AS int)
    ORDER BY ts DESC
    LIMIT CAST(:n AS bigint)
) AS newest
ORDER BY ts
