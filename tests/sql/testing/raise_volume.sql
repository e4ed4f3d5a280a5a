-- One more volume for the bars of one series.
-- kind: exec
UPDATE bars SET volume = volume + 1 WHERE series_id = CAST(:series_id AS int)
