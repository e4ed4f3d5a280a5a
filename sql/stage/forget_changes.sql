-- Before the batch is compared once more.
-- kind: exec
-- after: stage.create
DELETE FROM stage_changes
