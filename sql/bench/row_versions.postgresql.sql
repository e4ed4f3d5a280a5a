-- A number that changes when any version of any row is written: all their places and transactions.
-- kind: value
-- allow: rows because each engine has a number of its own
-- allow: pair because only PostgreSQL shows versions of a row
SELECT bit_xor(hashtextextended(concat_ws(' ', ctid, xmin, xmax, load_id), 0)) FROM bars
