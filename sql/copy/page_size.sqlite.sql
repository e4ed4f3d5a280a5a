-- Large pages: the larger a page, the larger a row that fits on one.
-- kind: exec
PRAGMA page_size = 32768
