-- What every new connection is set to. Times come back in UTC whatever the server says.
-- kind: script
SET TIME ZONE 'UTC';
