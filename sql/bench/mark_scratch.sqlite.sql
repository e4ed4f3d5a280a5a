-- Tell a scratch file from anybody's own: bench.empty works on nothing else.
-- kind: script
CREATE TABLE jutsu_bench (times_emptied INTEGER NOT NULL);
INSERT INTO jutsu_bench VALUES (0);
