-- Bars, the series they belong to, and the loads that brought them.
--
-- Times are INTEGER microseconds since 1970-01-01 UTC. No foreign keys on bars, as on
-- PostgreSQL: the writer resolves series ids inside its own transaction.

CREATE TABLE IF NOT EXISTS loads (
    load_id         INTEGER PRIMARY KEY AUTOINCREMENT,
    kind            TEXT NOT NULL CHECK (kind IN ('write', 'delete', 'undo')),
    source          TEXT NOT NULL,
    uri             TEXT,
    content_sha256  TEXT,
    observed_at     INTEGER NOT NULL,
    started_at      INTEGER NOT NULL,
    finished_at     INTEGER,
    rows_received   INTEGER NOT NULL DEFAULT 0,
    rows_inserted   INTEGER NOT NULL DEFAULT 0,
    rows_updated    INTEGER NOT NULL DEFAULT 0,
    rows_unchanged  INTEGER NOT NULL DEFAULT 0,
    rows_kept       INTEGER NOT NULL DEFAULT 0,
    rows_rejected   INTEGER NOT NULL DEFAULT 0,
    rows_deleted    INTEGER NOT NULL DEFAULT 0,
    actor           TEXT NOT NULL,
    tool_version    TEXT NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS series (
    series_id       INTEGER PRIMARY KEY,
    symbol          TEXT NOT NULL CHECK (symbol <> ''),
    timeframe       TEXT NOT NULL CHECK (timeframe <> ''),
    timezone        TEXT,
    calendar        TEXT,
    last_load_id    INTEGER,
    UNIQUE (symbol, timeframe)
) STRICT;

-- Clustered on its key: a series lies on consecutive pages, in time order. 9e999 is infinity;
-- a NaN arrives as NULL.
CREATE TABLE IF NOT EXISTS bars (
    series_id       INTEGER NOT NULL,
    load_id         INTEGER NOT NULL,
    ts              INTEGER NOT NULL,
    open            REAL NOT NULL,
    high            REAL NOT NULL,
    low             REAL NOT NULL,
    close           REAL NOT NULL,
    volume          REAL NOT NULL,
    PRIMARY KEY (series_id, ts),
    CHECK (low <= open AND low <= close AND high >= open AND high >= close AND volume >= 0),
    CHECK (low > -9e999 AND high < 9e999 AND volume < 9e999)
) STRICT, WITHOUT ROWID;

-- The original system's table, for its readers: times as the text that it stored. The seconds
-- are floored by hand, because division truncates toward zero and bars before 1970 exist.
CREATE VIEW IF NOT EXISTS market_data AS
SELECT
    series.symbol,
    series.timeframe,
    strftime('%Y-%m-%d %H:%M:%S', (bars.ts - (bars.ts % 1000000 + 1000000) % 1000000) / 1000000, 'unixepoch')
        || printf('.%06d', (bars.ts % 1000000 + 1000000) % 1000000) AS "timestamp",
    bars.open,
    bars.high,
    bars.low,
    bars.close,
    bars.volume,
    loads.source AS data_source,
    strftime('%Y-%m-%d %H:%M:%S', loads.started_at / 1000000, 'unixepoch')
        || printf('.%06d', loads.started_at % 1000000) AS created_at,
    1 AS is_valid
FROM bars
JOIN series USING (series_id)
LEFT JOIN loads ON loads.load_id = bars.load_id;
