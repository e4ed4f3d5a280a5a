-- A change of every bar by plain SQL.
-- kind: exec
UPDATE bars SET volume = volume + 0.0009765625
