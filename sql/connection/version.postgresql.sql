-- The server's version.
-- kind: value
-- allow: rows because each engine has a version of its own
SELECT current_setting('server_version')
