-- Bars whose series does not exist; one probe of the key a series.
-- kind: many
WITH RECURSIVE stored (series_id) AS (
    SELECT min(series_id) FROM bars
    UNION ALL
    SELECT (SELECT min(bars.series_id) FROM bars WHERE bars.series_id > stored.series_id)
    FROM stored
    WHERE stored.series_id IS NOT NULL
)
SELECT
    'error' AS severity,
    'bars of ' || count(*) || ' series that do not exist, series_id ' || min(series_id) || ' the first' AS found,
    'restore the rows of series from a backup, or delete those bars by their series_id' AS remedy
FROM stored
WHERE series_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM series WHERE series.series_id = stored.series_id)
HAVING count(*) > 0
ORDER BY found
