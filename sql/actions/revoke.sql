-- Take back the corporate actions of the load :undone that are still current.
-- kind: exec
UPDATE corporate_actions
SET superseded_by = CAST(:load_id AS int)
WHERE load_id = CAST(:undone AS int) AND superseded_by IS NULL
