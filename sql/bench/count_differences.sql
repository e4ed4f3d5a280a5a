-- How many of the rows that bench.keep_rows took are not in bars, or not with the same values, bit
-- for bit. Whose load it was does not matter. Every column is NOT NULL and finite.
-- kind: value
-- after: bench.keep_rows
SELECT count(*)
FROM bench_rows AS r
LEFT JOIN bars AS b ON b.series_id = r.series_id AND b.ts = r.ts
WHERE
    b.series_id IS NULL
    OR b.open <> r.open
    OR b.high <> r.high
    OR b.low <> r.low
    OR b.close <> r.close
    OR b.volume <> r.volume
