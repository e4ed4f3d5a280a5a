-- Each fill beside the close of the bar that its day has, oldest first.
-- kind: many
-- timestamps: ts
SELECT f.fill_id, f.series_id, f.ts, f.quantity, f.price, b.close
FROM fills AS f
JOIN bars AS b ON b.series_id = f.series_id AND b.ts <= f.ts
LEFT JOIN bars AS later
    ON later.series_id = f.series_id AND later.ts > b.ts AND later.ts <= f.ts
WHERE later.ts IS NULL
ORDER BY f.ts, f.fill_id
