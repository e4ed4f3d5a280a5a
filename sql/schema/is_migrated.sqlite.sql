-- Whether any migration was ever applied here.
-- kind: value
SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = '_yoyo_migration')
