-- Have the corporate actions alone, for writing, until the transaction ends.
-- kind: exec
LOCK TABLE corporate_actions IN SHARE ROW EXCLUSIVE MODE
