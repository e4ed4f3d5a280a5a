-- Every bar that a later load replaced or deleted, what each load touched, and what it refused.
-- depends: postgresql-0001-bars

CREATE TABLE IF NOT EXISTS bar_revisions (
    series_id       int NOT NULL,
    load_id         int NOT NULL,
    ts              timestamptz NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision NOT NULL,
    superseded_by   int NOT NULL,
    PRIMARY KEY (series_id, ts, superseded_by)
);

-- Where to look for what a load did, without an index on bars.
CREATE TABLE IF NOT EXISTS load_series (
    load_id         int NOT NULL,
    series_id       int NOT NULL,
    first_ts        timestamptz NOT NULL,
    last_ts         timestamptz NOT NULL,
    PRIMARY KEY (load_id, series_id)
);

CREATE TABLE IF NOT EXISTS rejected_bars (
    load_id         int NOT NULL,
    position        bigint NOT NULL,
    symbol          text NOT NULL,
    timeframe       text NOT NULL,
    ts              timestamptz,
    reason          text NOT NULL,
    raw             text NOT NULL,
    PRIMARY KEY (load_id, position)
);

CREATE INDEX IF NOT EXISTS loads_content_sha256 ON loads (content_sha256) WHERE content_sha256 IS NOT NULL;
