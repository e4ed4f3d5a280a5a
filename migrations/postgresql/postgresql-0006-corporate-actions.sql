-- Splits and dividends, by which raw prices are adjusted when they are read. A version is known from the end of
-- the load that wrote it until the end of the one that superseded it, as bars are.
-- depends: postgresql-0004-unfinished-loads

CREATE TABLE IF NOT EXISTS corporate_actions (
    symbol          text NOT NULL CHECK (symbol <> ''),
    ex_date         timestamptz NOT NULL,
    kind            text NOT NULL CHECK (kind IN ('split', 'dividend')),
    value           double precision NOT NULL CHECK (value > 0 AND value < 'Infinity'),
    load_id         int NOT NULL,
    superseded_by   int,
    PRIMARY KEY (symbol, ex_date, kind, load_id)
);

CREATE UNIQUE INDEX IF NOT EXISTS corporate_actions_current ON corporate_actions (symbol, ex_date, kind)
WHERE superseded_by IS NULL;
