-- Put the triggers of bars back, word for word as the migration makes them.
-- kind: script
-- after: bars.make_bare
CREATE TRIGGER bars_inserted AFTER INSERT ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = NEW.series_id;
END;

CREATE TRIGGER bars_updated AFTER UPDATE ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id IN (OLD.series_id, NEW.series_id);
END;

CREATE TRIGGER bars_deleted AFTER DELETE ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = OLD.series_id;
END;

UPDATE bars_state SET own_changes = own_changes + (SELECT schema_version FROM pragma_schema_version);
