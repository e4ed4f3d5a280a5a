-- Numbers from :rows down to 1, with a NULL for :missing; the order is the query's own.
-- kind: columns
WITH RECURSIVE counted (n) AS (
    SELECT CAST(1 AS bigint) WHERE CAST(:rows AS bigint) > 0
    UNION ALL
    SELECT n + 1 FROM counted WHERE n < CAST(:rows AS bigint)
)
SELECT
    n,
    CAST(7 AS int) AS small,
    CASE WHEN n <> CAST(:missing AS bigint) THEN CAST(n AS double precision) / 2 END AS half
FROM counted
ORDER BY n DESC -- {not a blank}
