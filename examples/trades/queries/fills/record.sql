-- Record a fill, and give its id.
-- kind: value
-- timestamps: ts
INSERT INTO fills (series_id, ts, quantity, price, note)
VALUES (
    CAST(:series_id AS int),
    :ts,
    CAST(:quantity AS double precision),
    CAST(:price AS double precision),
    CAST(:note AS text)
)
RETURNING fill_id
