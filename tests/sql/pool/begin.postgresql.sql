-- A transaction that nobody ends.
-- kind: exec
BEGIN
