-- How many bars there are.
-- kind: value
SELECT count(*) FROM bars
