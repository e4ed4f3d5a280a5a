-- All rows of a query as one row of arrays, which need no Python object a value. Aggregates take the
-- rows of a subquery in its order.
-- kind: columns
-- fill: arrays="array_agg(c0) AS c0", rows="SELECT ts FROM bars", places=c0
-- allow: half because a result of SQLite is read from its pages
-- allow: order because it is one row
SELECT {arrays} FROM (
{rows}
) AS result ({places})
