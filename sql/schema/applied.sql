-- The migrations that this database has.
-- kind: many
SELECT migration_id FROM _yoyo_migration ORDER BY migration_id
