-- What every new connection is set to. Times come back in UTC whatever the server says. Compiling a query
-- that then runs for a second or two takes as long as running it.
-- kind: script
SET TIME ZONE 'UTC';
SET jit = off;
