-- Where a batch waits that no file can carry.
-- kind: exec
CREATE TEMP TABLE copy_rows ({staged})
