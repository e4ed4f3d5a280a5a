-- Nothing to say: a trigger a row renews the versions of just the series that it changes.
-- kind: value
SELECT ''
