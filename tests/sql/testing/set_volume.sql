-- Another volume for the bars of one series.
-- kind: exec
UPDATE bars SET volume = CAST(:volume AS double precision) WHERE series_id = CAST(:series_id AS int)
