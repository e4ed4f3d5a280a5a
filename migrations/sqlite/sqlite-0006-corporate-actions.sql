-- Splits and dividends, by which raw prices are adjusted when they are read. A version is known from the end of
-- the load that wrote it until the end of the one that superseded it, as bars are.
-- depends: sqlite-0004-unfinished-loads

CREATE TABLE IF NOT EXISTS corporate_actions (
    symbol          TEXT NOT NULL CHECK (symbol <> ''),
    ex_date         INTEGER NOT NULL,
    kind            TEXT NOT NULL CHECK (kind IN ('split', 'dividend')),
    value           REAL NOT NULL CHECK (value > 0 AND value < 9e999),
    load_id         INTEGER NOT NULL,
    superseded_by   INTEGER,
    PRIMARY KEY (symbol, ex_date, kind, load_id)
) STRICT;

CREATE UNIQUE INDEX IF NOT EXISTS corporate_actions_current ON corporate_actions (symbol, ex_date, kind)
WHERE superseded_by IS NULL;
