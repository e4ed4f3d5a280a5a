-- The bars of the first series as plain rows, to be fetched without the toolkit. Its id stands in the
-- text: ADBC reads by COPY, its fastest way, only without parameters, and connectorx takes none.
-- kind: many
-- timestamps: ts
SELECT ts, open, high, low, close, volume
FROM bars
WHERE series_id = 1
ORDER BY ts
