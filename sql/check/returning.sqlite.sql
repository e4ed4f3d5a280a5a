-- What RETURNING gives, as a query.
-- kind: many
-- fill: returned="series_id", table="series"
-- allow: half because PostgreSQL describes a statement without a view of it
-- allow: order because it is compiled and never run
SELECT {returned} FROM {table}
