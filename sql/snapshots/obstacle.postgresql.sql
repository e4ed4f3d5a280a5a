-- Why changes of bars may go unseen here, or NULL.
-- kind: one
SELECT obstacle FROM bars_guard
