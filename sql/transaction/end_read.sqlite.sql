-- Let a connection write again.
-- kind: exec
PRAGMA query_only = OFF
