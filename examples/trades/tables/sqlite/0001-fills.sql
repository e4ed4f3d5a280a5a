-- What the broker has filled. A sale has a negative quantity.
CREATE TABLE IF NOT EXISTS fills (
    fill_id     INTEGER PRIMARY KEY,
    series_id   INTEGER NOT NULL,
    ts          INTEGER NOT NULL,
    quantity    REAL NOT NULL CHECK (quantity <> 0),
    price       REAL NOT NULL,
    note        TEXT
) STRICT;

CREATE INDEX IF NOT EXISTS fills_series ON fills (series_id, ts);
