-- A migration that this version does not know.
-- kind: exec
INSERT INTO _yoyo_migration (migration_hash, migration_id) VALUES ('f00', '9999-from-the-future')
