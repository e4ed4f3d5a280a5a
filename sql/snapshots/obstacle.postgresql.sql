-- Why changes of bars may go unseen here, or NULL.
-- kind: one
-- allow: pair because a database of PostgreSQL is never in memory
-- allow: rows because SQLite is checked in memory
SELECT obstacle FROM bars_guard
