-- Bars, the series they belong to, and the loads that brought them.
--
-- No foreign keys on bars: a check per row on the hot path, and distributed engines restrict
-- them. The writer resolves series ids inside its own transaction.

CREATE TABLE IF NOT EXISTS loads (
    load_id         int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind            text NOT NULL CHECK (kind IN ('write', 'delete', 'undo')),
    source          text NOT NULL,
    uri             text,
    content_sha256  text,
    observed_at     timestamptz NOT NULL,
    started_at      timestamptz NOT NULL,
    finished_at     timestamptz,
    rows_received   bigint NOT NULL DEFAULT 0,
    rows_inserted   bigint NOT NULL DEFAULT 0,
    rows_updated    bigint NOT NULL DEFAULT 0,
    rows_unchanged  bigint NOT NULL DEFAULT 0,
    rows_kept       bigint NOT NULL DEFAULT 0,
    rows_rejected   bigint NOT NULL DEFAULT 0,
    rows_deleted    bigint NOT NULL DEFAULT 0,
    actor           text NOT NULL,
    tool_version    text NOT NULL
);

CREATE TABLE IF NOT EXISTS series (
    series_id       int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    symbol          text NOT NULL CHECK (symbol <> ''),
    timeframe       text NOT NULL CHECK (timeframe <> ''),
    timezone        text,
    calendar        text,
    last_load_id    int,
    UNIQUE (symbol, timeframe)
);

-- series_id and load_id share one 8-byte word, so the load reference costs no space. NaN sorts
-- above Infinity here, so the second check keeps it out as well.
CREATE TABLE IF NOT EXISTS bars (
    series_id       int NOT NULL,
    load_id         int NOT NULL,
    ts              timestamptz NOT NULL,
    open            double precision NOT NULL,
    high            double precision NOT NULL,
    low             double precision NOT NULL,
    close           double precision NOT NULL,
    volume          double precision NOT NULL,
    PRIMARY KEY (series_id, ts),
    CHECK (low <= open AND low <= close AND high >= open AND high >= close AND volume >= 0),
    CHECK (low > '-Infinity' AND high < 'Infinity' AND volume < 'Infinity')
);

-- The original system's table, for its readers: same columns, same meaning.
CREATE OR REPLACE VIEW market_data AS
SELECT
    series.symbol,
    series.timeframe,
    bars.ts AS "timestamp",
    bars.open,
    bars.high,
    bars.low,
    bars.close,
    bars.volume,
    loads.source AS data_source,
    loads.started_at AS created_at,
    true AS is_valid
FROM bars
JOIN series USING (series_id)
LEFT JOIN loads ON loads.load_id = bars.load_id;
