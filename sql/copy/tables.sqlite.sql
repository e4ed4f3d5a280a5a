-- The tables that there are, to suggest one for a name that is none.
-- kind: many
SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') ORDER BY name
