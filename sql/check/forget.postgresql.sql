-- Forget what was prepared; a rollback does not.
-- kind: exec
-- allow: half because nothing stays prepared on SQLite
-- allow: unproven because nothing of it is looked up
DEALLOCATE ALL
