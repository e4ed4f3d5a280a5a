-- A script that fails at its second statement.
-- kind: script
CREATE TABLE half_done (x int);
INSERT INTO no_such_table VALUES (1);
