-- The body of a DO block as a function, which the server compiles when it is made.
-- kind: exec
-- fill: body="$$ BEGIN END $$"
-- allow: half because SQLite has no functions in SQL
CREATE FUNCTION pg_temp.checked() RETURNS void LANGUAGE plpgsql AS {body}
