-- The columns of a table of a batch, in order.
-- kind: many
SELECT cid, name FROM pragma_table_info(:table_name) ORDER BY cid
