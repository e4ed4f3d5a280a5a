-- How many fills there were on each day in UTC, and their turnover.
-- kind: many
-- timestamps: day
SELECT
    date_trunc('day', ts, 'UTC') AS day,
    count(*) AS fills,
    sum(abs(quantity) * price) AS turnover
FROM fills
GROUP BY 1
ORDER BY 1
