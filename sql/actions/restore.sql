-- Bring back what the load :undone had superseded, unless a later load has written it since.
-- kind: exec
INSERT INTO corporate_actions (symbol, ex_date, kind, value, load_id)
SELECT a.symbol, a.ex_date, a.kind, a.value, CAST(:load_id AS int)
FROM corporate_actions AS a
WHERE
    a.superseded_by = CAST(:undone AS int)
    AND NOT EXISTS (
        SELECT 1
        FROM corporate_actions AS later
        WHERE
            later.symbol = a.symbol
            AND later.ex_date = a.ex_date
            AND later.kind = a.kind
            AND later.superseded_by IS NULL
    )
