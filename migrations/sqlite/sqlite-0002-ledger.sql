-- Every bar that a later load replaced or deleted, what each load touched, and what it refused.
-- depends: sqlite-0001-bars

CREATE TABLE IF NOT EXISTS bar_revisions (
    series_id       INTEGER NOT NULL,
    load_id         INTEGER NOT NULL,
    ts              INTEGER NOT NULL,
    open            REAL NOT NULL,
    high            REAL NOT NULL,
    low             REAL NOT NULL,
    close           REAL NOT NULL,
    volume          REAL NOT NULL,
    superseded_by   INTEGER NOT NULL,
    PRIMARY KEY (series_id, ts, superseded_by)
) STRICT, WITHOUT ROWID;

-- Where to look for what a load did, without an index on bars.
CREATE TABLE IF NOT EXISTS load_series (
    load_id         INTEGER NOT NULL,
    series_id       INTEGER NOT NULL,
    first_ts        INTEGER NOT NULL,
    last_ts         INTEGER NOT NULL,
    PRIMARY KEY (load_id, series_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS rejected_bars (
    load_id         INTEGER NOT NULL,
    position        INTEGER NOT NULL,
    symbol          TEXT NOT NULL,
    timeframe       TEXT NOT NULL,
    ts              INTEGER,
    reason          TEXT NOT NULL,
    raw             TEXT NOT NULL,
    PRIMARY KEY (load_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX IF NOT EXISTS loads_content_sha256 ON loads (content_sha256) WHERE content_sha256 IS NOT NULL;
