-- Say what a calendar comes from; whoever comes second waits here until the first has stored its sessions.
-- kind: exec
-- timestamps: first, end
INSERT INTO calendars (calendar, version, first_ts, end_ts)
VALUES (CAST(:calendar AS text), CAST(:version AS text), :first, :end)
ON CONFLICT (calendar) DO UPDATE
SET version = excluded.version, first_ts = excluded.first_ts, end_ts = excluded.end_ts
