-- See the state that another transaction has exported; it must not have ended.
-- kind: exec
SET TRANSACTION SNAPSHOT '{state}'
