-- All rows of a query as one row of arrays, which need no Python object a value. Aggregates take the
-- rows of a subquery in its order.
-- kind: columns
SELECT {arrays} FROM (
{rows}
) AS result ({places})
