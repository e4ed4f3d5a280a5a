-- Why changes of bars may go unseen here, or NULL; or why nothing is gained.
-- kind: one
SELECT
    CASE
        WHEN (SELECT file FROM pragma_database_list WHERE name = 'main') = '' THEN 'the database is in memory'
        ELSE obstacle
    END AS obstacle
FROM bars_guard
