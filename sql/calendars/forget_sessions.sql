-- Make room for the sessions of a calendar as a newer version knows them.
-- kind: exec
DELETE FROM calendar_sessions WHERE calendar = CAST(:calendar AS text)
