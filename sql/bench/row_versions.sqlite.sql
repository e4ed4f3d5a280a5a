-- A number that changes when a load writes any row: the loads that wrote them.
-- kind: value
SELECT sum(load_id) FROM bars
