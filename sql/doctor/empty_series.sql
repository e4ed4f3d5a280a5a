-- Series without bars.
-- kind: many
SELECT
    'info' AS severity,
    count(*) || ' series have no bars, series_id ' || min(series_id) || ' the first' AS found,
    'nothing, if their bars were deleted on purpose' AS remedy
FROM series
WHERE NOT EXISTS (SELECT 1 FROM bars WHERE bars.series_id = series.series_id)
HAVING count(*) > 0
ORDER BY found
