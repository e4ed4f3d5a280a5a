-- The last :n bars of one series before :start, and all from there to :end (inclusive), in time order.
-- kind: columns
-- timestamps: ts, start, end
-- plan: index bars
SELECT ts, open, high, low, close, volume
FROM bars
WHERE
    series_id = :series_id
    AND ts <= :end
    AND ts >= coalesce(
        (
            SELECT min(ts)
            FROM (
                SELECT ts
                FROM bars
                WHERE series_id = :series_id AND ts < :start
                ORDER BY ts DESC
                LIMIT :n
            ) AS before
        ),
        :start
    )
ORDER BY ts
