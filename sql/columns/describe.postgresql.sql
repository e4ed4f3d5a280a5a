-- No rows, but the types of what a query gives.
-- kind: columns
SELECT * FROM (
{rows}
) AS result LIMIT 0
