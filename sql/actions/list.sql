-- The corporate actions of one symbol or (with NULL) of all, as they were known at :as_of.
-- kind: many
-- timestamps: ex_date, observed_at, known_from, as_of
-- example: symbol=null, as_of=2024-03-01
-- example: symbol=AAPL, as_of=2024-01-01
SELECT
    a.symbol, a.ex_date, a.kind, a.value, a.load_id, written.observed_at, written.finished_at AS known_from
FROM corporate_actions AS a
JOIN loads AS written ON written.load_id = a.load_id
LEFT JOIN loads AS superseded ON superseded.load_id = a.superseded_by
WHERE
    a.symbol = coalesce(CAST(:symbol AS text), a.symbol)
    AND written.finished_at <= :as_of
    AND (superseded.finished_at > :as_of OR superseded.finished_at IS NULL)
ORDER BY a.symbol, a.ex_date, a.kind
