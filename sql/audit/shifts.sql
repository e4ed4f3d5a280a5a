-- Bars of one series from which on another load's price level begins: the open is at least 1.2 times
-- the close before, or at most 1 / 1.2 of it, and the two bars came by different loads.
-- kind: many
-- timestamps: ts
-- plan: index bars
-- example: series_id=1
SELECT ts, load_id, load_before, close_before, open
FROM (
    SELECT
        ts,
        load_id,
        open,
        lag(load_id) OVER (ORDER BY ts) AS load_before,
        lag(close) OVER (ORDER BY ts) AS close_before
    FROM bars
    WHERE series_id = CAST(:series_id AS int)
) AS numbered
WHERE
    load_id <> load_before
    AND close_before > 0
    AND (open >= close_before * 1.2 OR open * 1.2 <= close_before)
ORDER BY ts
