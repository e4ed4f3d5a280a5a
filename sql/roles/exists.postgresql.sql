-- Whether there is a role.
-- kind: value
-- example: role=postgres
SELECT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = CAST(:role AS text))
