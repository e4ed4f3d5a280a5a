-- Keep the bars that are about to be replaced or taken away, unless this very load wrote them.
-- kind: exec
-- after: stage.create
INSERT INTO bar_revisions (series_id, load_id, ts, open, high, low, close, volume, superseded_by)
SELECT
    series_id, old_load_id, ts, old_open, old_high, old_low, old_close, old_volume, load_id
FROM stage_changes
WHERE change IN ('changed', 'gone') AND old_load_id <> load_id
