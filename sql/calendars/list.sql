-- The calendars that are stored: where each comes from, and the dates that it knows, without the last.
-- kind: many
-- timestamps: first_ts, end_ts
SELECT calendar, version, first_ts, end_ts FROM calendars ORDER BY calendar
