-- Large pages: the larger a page, the larger a row that fits on one.
-- kind: exec
-- allow: half because a batch of PostgreSQL is no file
PRAGMA page_size = 32768
