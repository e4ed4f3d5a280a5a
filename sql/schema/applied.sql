-- The migrations that this database has.
-- kind: many
-- allow: rows because migrations are named for their engine
SELECT migration_id FROM _yoyo_migration ORDER BY migration_id
