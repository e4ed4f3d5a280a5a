-- Note what a load was of, once all of it is in.
-- kind: exec
UPDATE loads
SET content_sha256 = CAST(:content_sha256 AS text)
WHERE load_id = CAST(:load_id AS int)
