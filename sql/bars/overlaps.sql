-- Whether a series has a bar from :first to :last.
-- kind: value
-- timestamps: first, last
-- plan: index bars
SELECT EXISTS (
    SELECT 1
    FROM bars
    WHERE series_id = CAST(:series_id AS int) AND ts BETWEEN :first AND :last
)
