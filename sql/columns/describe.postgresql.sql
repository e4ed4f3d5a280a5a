-- No rows, but the types of what a query gives.
-- kind: columns
-- fill: rows="SELECT ts FROM bars"
-- allow: half because a result of SQLite is read from its pages
-- allow: order because there are no rows
SELECT * FROM (
{rows}
) AS result LIMIT 0
