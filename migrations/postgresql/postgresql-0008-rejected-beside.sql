-- Of one line of a file several rows may be refused: of symbols whose bars stand side by side.
-- depends: postgresql-0007-coverage

ALTER TABLE rejected_bars
    DROP CONSTRAINT rejected_bars_pkey,
    ADD PRIMARY KEY (load_id, position, symbol, timeframe);
