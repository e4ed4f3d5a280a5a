-- One row. Until it is fetched, every statement of the connection sees one state.
-- kind: value
-- allow: half because connections of PostgreSQL import a state
SELECT count(*) FROM sqlite_schema
