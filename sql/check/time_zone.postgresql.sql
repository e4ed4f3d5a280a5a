-- Until the transaction ends, the session is in another time zone.
-- kind: value
-- allow: half because SQLite has no time zones
SELECT set_config('TimeZone', CAST(:time_zone AS text), true)
