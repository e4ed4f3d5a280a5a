DROP INDEX IF EXISTS loads_unfinished;
