DROP TABLE IF EXISTS calendar_sessions;
DROP TABLE IF EXISTS calendars;
DROP TABLE IF EXISTS undone_loads;
DROP TABLE IF EXISTS coverage;
