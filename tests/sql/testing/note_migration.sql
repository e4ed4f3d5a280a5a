-- What yoyo notes of a migration that it applies.
-- kind: exec
INSERT INTO _yoyo_migration (migration_hash, migration_id)
VALUES (CAST(:migration_id AS text), CAST(:migration_id AS text))
