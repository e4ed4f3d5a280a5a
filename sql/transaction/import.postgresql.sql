-- See the state that another transaction has exported; it must not have ended.
-- kind: exec
-- allow: half because no connection of SQLite can import a state
-- allow: compile because no state is exported while it is checked
SET TRANSACTION SNAPSHOT '{state}'
