-- Let go of the result.
-- kind: exec
DETACH found
