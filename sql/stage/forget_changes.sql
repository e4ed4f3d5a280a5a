-- Before the batch is compared once more.
-- kind: exec
DELETE FROM stage_changes
