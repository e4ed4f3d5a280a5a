-- Build the key after a first load.
-- kind: exec
ALTER TABLE bars ADD CONSTRAINT bars_pkey PRIMARY KEY (series_id, ts)
