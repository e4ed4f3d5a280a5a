-- Tell whether the bars of a series have changed without reading them: each change gives it a new random
-- version, so that two states never share one, in this file or in a copy of it.
-- depends: sqlite-0002-ledger

CREATE TABLE IF NOT EXISTS series_versions (
    series_id       INTEGER PRIMARY KEY,
    version         BLOB NOT NULL
) STRICT;

-- One row: the triggers that have to be there, and how much of the count of schema changes is due to
-- big loads, which take those of bars away and put them back (bars.make_bare, bars.make_whole).
CREATE TABLE IF NOT EXISTS bars_state (
    only_row        INTEGER PRIMARY KEY CHECK (only_row = 1),
    triggers        TEXT NOT NULL,
    own_changes     INTEGER NOT NULL DEFAULT 0
) STRICT;

-- The conflict clause of whoever fires a trigger rules in it as well: nothing here may depend on one.
CREATE TRIGGER IF NOT EXISTS series_inserted AFTER INSERT ON series BEGIN
    INSERT INTO series_versions (series_id, version)
    SELECT NEW.series_id, randomblob(16)
    WHERE NOT EXISTS (SELECT 1 FROM series_versions WHERE series_id = NEW.series_id);
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = NEW.series_id;
END;

CREATE TRIGGER IF NOT EXISTS series_updated AFTER UPDATE ON series BEGIN
    INSERT INTO series_versions (series_id, version)
    SELECT NEW.series_id, randomblob(16)
    WHERE NOT EXISTS (SELECT 1 FROM series_versions WHERE series_id = NEW.series_id);
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = NEW.series_id;
END;

CREATE TRIGGER IF NOT EXISTS bars_inserted AFTER INSERT ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = NEW.series_id;
END;

CREATE TRIGGER IF NOT EXISTS bars_updated AFTER UPDATE ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id IN (OLD.series_id, NEW.series_id);
END;

CREATE TRIGGER IF NOT EXISTS bars_deleted AFTER DELETE ON bars BEGIN
    UPDATE series_versions SET version = randomblob(16) WHERE series_id = OLD.series_id;
END;

INSERT OR REPLACE INTO series_versions (series_id, version) SELECT series_id, randomblob(16) FROM series;

INSERT OR REPLACE INTO bars_state (only_row, triggers)
SELECT 1, group_concat(sql, char(10))
FROM (
    SELECT sql FROM sqlite_master
    WHERE name IN ('series_inserted', 'series_updated', 'bars_inserted', 'bars_updated', 'bars_deleted')
    ORDER BY name
);

-- What keeps changes of bars from being seen, if anything. A trigger of somebody else may change bars of
-- another series than the one that a load is about.
CREATE VIEW IF NOT EXISTS bars_guard AS
SELECT
    own_changes,
    CASE
        WHEN triggers IS NOT (SELECT group_concat(sql, char(10)) FROM (SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name))
            THEN 'the database has not just the triggers that migrations make'
    END AS obstacle
FROM bars_state;
