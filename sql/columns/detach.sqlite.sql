-- Let go of the result.
-- kind: exec
-- allow: half because a result of PostgreSQL comes as arrays
DETACH found
