-- Tell a scratch file from anybody's own: bench.empty works on nothing else.
-- kind: script
-- allow: half because PostgreSQL has a schema of its own instead
CREATE TABLE jutsu_bench (times_emptied INTEGER NOT NULL);
INSERT INTO jutsu_bench VALUES (0);
