-- Done with the batch. A rollback drops both tables as well.
-- kind: script
-- after: stage.create
DROP TABLE stage_bars;
DROP TABLE stage_changes;
