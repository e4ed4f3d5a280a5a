-- Build the key after a first load.
-- kind: script
-- after: bars.make_bare
ALTER TABLE bars ADD CONSTRAINT bars_pkey PRIMARY KEY (series_id, ts);
