-- The columns of a table of blocks, in order.
-- kind: many
SELECT cid, name FROM pragma_table_info(:table_name) ORDER BY cid
