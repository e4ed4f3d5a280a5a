-- One row a line, the first by symbol.
DELETE FROM rejected_bars AS later
USING rejected_bars AS earlier
WHERE
    earlier.load_id = later.load_id
    AND earlier.position = later.position
    AND (earlier.symbol, earlier.timeframe) < (later.symbol, later.timeframe);

ALTER TABLE rejected_bars
    DROP CONSTRAINT rejected_bars_pkey,
    ADD PRIMARY KEY (load_id, position);
