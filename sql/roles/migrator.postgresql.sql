-- What it takes to make the tables, in a database that need not have any yet.
-- kind: script
-- fill: role=pg_read_all_data, schema=public, database=template1
GRANT CONNECT, TEMPORARY ON DATABASE {database} TO {role};
GRANT USAGE, CREATE ON SCHEMA {schema} TO {role};
