-- 1 if a series has a bar from :first to :last, else 0.
-- kind: value
-- timestamps: first, last
-- plan: index bars
-- example: series_id=1, first=2024-01-03, last=2024-01-04
-- example: series_id=9, first=2024-01-03, last=2024-01-04
SELECT CASE WHEN EXISTS (
    SELECT 1
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :first AND :last
) THEN 1 ELSE 0 END
