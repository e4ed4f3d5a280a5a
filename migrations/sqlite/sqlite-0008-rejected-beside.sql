-- Of one line of a file several rows may be refused: of symbols whose bars stand side by side.
-- depends: sqlite-0007-coverage

CREATE TABLE rejected_beside (
    load_id         INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    symbol          TEXT NOT NULL,
    timeframe       TEXT NOT NULL,
    ts              INTEGER,
    reason          TEXT NOT NULL,
    raw             TEXT NOT NULL,
    PRIMARY KEY (load_id, position, symbol, timeframe)
) STRICT, WITHOUT ROWID;

INSERT INTO rejected_beside SELECT load_id, position, symbol, timeframe, ts, reason, raw FROM rejected_bars;
DROP TABLE rejected_bars;
ALTER TABLE rejected_beside RENAME TO rejected_bars;
