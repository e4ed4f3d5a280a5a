-- The server's version.
-- kind: value
SELECT current_setting('server_version')
