-- One row. Until it is fetched, every statement of the connection sees one state.
-- kind: value
SELECT count(*) FROM sqlite_schema
