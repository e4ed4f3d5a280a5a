-- Whether any migration was ever applied here.
-- kind: value
SELECT to_regclass('_yoyo_migration') IS NOT NULL
