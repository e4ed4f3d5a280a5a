-- Make the current version of one corporate action an old one.
-- kind: exec
-- timestamps: ex_date
UPDATE corporate_actions
SET superseded_by = CAST(:load_id AS int)
WHERE
    symbol = CAST(:symbol AS text)
    AND ex_date = :ex_date
    AND kind = CAST(:kind AS text)
    AND superseded_by IS NULL
