-- What the broker has filled. A sale has a negative quantity.
CREATE TABLE IF NOT EXISTS fills (
    fill_id     int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    series_id   int NOT NULL,
    ts          timestamptz NOT NULL,
    quantity    double precision NOT NULL CHECK (quantity <> 0),
    price       double precision NOT NULL,
    note        text
);

CREATE INDEX IF NOT EXISTS fills_series ON fills (series_id, ts);
