-- Words and their numbers.
-- kind: columns
WITH RECURSIVE counted (n) AS (
    SELECT 1
    UNION ALL
    SELECT n + 1 FROM counted WHERE n < CAST(:rows AS int)
)
SELECT 'w' || CAST(n AS text) AS word, n FROM counted ORDER BY n
