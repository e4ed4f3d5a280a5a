-- How the database encodes text; a file with another encoding cannot be attached to it.
-- kind: value
PRAGMA encoding
