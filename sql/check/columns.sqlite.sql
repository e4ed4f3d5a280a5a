-- The columns of a view of check.view.
-- kind: many
-- allow: half because PostgreSQL describes a statement without a view of it
SELECT name, type FROM pragma_table_info(:view_name, 'temp') ORDER BY cid
