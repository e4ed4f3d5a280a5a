-- Where a batch waits that no file can carry.
-- kind: exec
-- fill: staged="c0, c1"
CREATE TEMP TABLE copy_rows ({staged})
