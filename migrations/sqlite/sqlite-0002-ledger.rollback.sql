DROP INDEX IF EXISTS loads_content_sha256;
DROP TABLE IF EXISTS rejected_bars;
DROP TABLE IF EXISTS load_series;
DROP TABLE IF EXISTS bar_revisions;
