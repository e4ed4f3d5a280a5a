-- The server's own limit: COPY from a file that it reads itself, into the same table.
-- kind: exec
-- allow: unproven because the file's name is only known when it runs
DO $$
BEGIN
    EXECUTE format(
        'COPY bars (series_id, load_id, ts, open, high, low, close, volume) FROM %L (FORMAT binary)',
        current_setting('jutsu_bench.file')
    );
END
$$
