-- The library's version.
-- kind: value
SELECT sqlite_version()
