-- Build the key after a first load.
-- kind: script
ALTER TABLE bars ADD CONSTRAINT bars_pkey PRIMARY KEY (series_id, ts);
