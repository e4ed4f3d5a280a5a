-- What a batch of bars looks like to the engine: see jutsu_sql/sqlite_image.py. Columns without a
-- type are taken as they are; the real table checks them.
-- kind: script
PRAGMA page_size = 32768;
CREATE TABLE bar_rows (series_id, load_id, ts, open, high, low, close, volume);
