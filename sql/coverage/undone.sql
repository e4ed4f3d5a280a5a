-- Which loads were taken back by which, the latest undo first.
-- kind: many
SELECT load_id, undone_by FROM undone_loads ORDER BY undone_by DESC
