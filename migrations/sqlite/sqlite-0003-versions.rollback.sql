DROP VIEW IF EXISTS bars_guard;
DROP TRIGGER IF EXISTS bars_deleted;
DROP TRIGGER IF EXISTS bars_updated;
DROP TRIGGER IF EXISTS bars_inserted;
DROP TRIGGER IF EXISTS series_updated;
DROP TRIGGER IF EXISTS series_inserted;
DROP TABLE IF EXISTS bars_state;
DROP TABLE IF EXISTS series_versions;
