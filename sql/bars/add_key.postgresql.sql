-- Build the key after a first load.
-- kind: exec
-- after: bars.drop_key
-- allow: half because the table of SQLite is its key
ALTER TABLE bars ADD CONSTRAINT bars_pkey PRIMARY KEY (series_id, ts)
