-- What loads asked their sources for, so that a bar which is not there can be told from one that nobody fetched; and
-- when exchanges have sessions.
-- depends: postgresql-0004-unfinished-loads

-- A load has every bar of the series that its source had from start_ts up to, and without, end_ts.
CREATE TABLE IF NOT EXISTS coverage (
    series_id       int NOT NULL,
    load_id         int NOT NULL,
    start_ts        timestamptz NOT NULL,
    end_ts          timestamptz NOT NULL,
    PRIMARY KEY (series_id, load_id, start_ts),
    CHECK (start_ts < end_ts)
);

-- An undo can be undone: whether a load counts follows from all rows.
CREATE TABLE IF NOT EXISTS undone_loads (
    load_id         int NOT NULL,
    undone_by       int NOT NULL,
    PRIMARY KEY (load_id, undone_by)
);

INSERT INTO undone_loads (load_id, undone_by)
SELECT CAST(substr(source, length('undo of load ') + 1) AS int), load_id
FROM loads
WHERE kind = 'undo' AND finished_at IS NOT NULL
ON CONFLICT DO NOTHING;

-- Which package a calendar was taken from, and the dates that it knows: from first_ts up to, and without, end_ts.
CREATE TABLE IF NOT EXISTS calendars (
    calendar        text PRIMARY KEY,
    version         text NOT NULL,
    first_ts        timestamptz NOT NULL,
    end_ts          timestamptz NOT NULL
);

-- The sessions of a calendar (1D), and the weeks (1W) and months (1M) that have any, numbered without holes: ts is that of
-- their bars. open_ts is NULL where only the dates are known, and the break where there is none.
CREATE TABLE IF NOT EXISTS calendar_sessions (
    calendar        text NOT NULL,
    timeframe       text NOT NULL CHECK (timeframe IN ('1D', '1W', '1M')),
    ts              timestamptz NOT NULL,
    number          int NOT NULL,
    open_ts         timestamptz,
    close_ts        timestamptz NOT NULL,
    break_start_ts  timestamptz,
    break_end_ts    timestamptz,
    PRIMARY KEY (calendar, timeframe, number),
    UNIQUE (calendar, timeframe, ts)
);
