-- One row a line, the first by symbol.
CREATE TABLE rejected_alone (
    load_id         INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    symbol          TEXT NOT NULL,
    timeframe       TEXT NOT NULL,
    ts              INTEGER,
    reason          TEXT NOT NULL,
    raw             TEXT NOT NULL,
    PRIMARY KEY (load_id, position)
) STRICT, WITHOUT ROWID;

INSERT OR IGNORE INTO rejected_alone
SELECT load_id, position, symbol, timeframe, ts, reason, raw FROM rejected_bars ORDER BY load_id, position, symbol, timeframe;
DROP TABLE rejected_bars;
ALTER TABLE rejected_alone RENAME TO rejected_bars;
