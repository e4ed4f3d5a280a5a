-- Make room for the next batch of the same load.
-- kind: script
-- after: stage.create
DELETE FROM stage_bars;
DELETE FROM stage_changes;
