-- A number that changes when any version of any row is written: all their places and transactions.
-- kind: value
SELECT sum(hashtextextended(concat_ws(' ', ctid, xmin, xmax, load_id), 0)) FROM bars
