-- What every new connection is set to. Times come back in UTC whatever the server says. Compiling a query
-- that then runs for a second or two takes as long as running it.
-- A client that went without a word is given up as a client gives up a server: until then its transaction
-- would hold its locks, by default for two hours.
-- kind: script
SET TIME ZONE 'UTC';
SET jit = off;
SELECT
    set_config('tcp_keepalives_idle', '30', false),
    set_config('tcp_keepalives_interval', '10', false),
    set_config('tcp_keepalives_count', '3', false),
    set_config('tcp_user_timeout', '30000', false);
