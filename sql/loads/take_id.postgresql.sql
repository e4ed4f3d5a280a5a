-- Take the id of a load, unless somebody has it: 1 or 0. Waits for a transaction that has it and is not
-- over.
-- kind: exec
-- allow: half because a load of SQLite is one transaction
INSERT INTO loads (load_id, kind, source, observed_at, started_at, actor, tool_version)
OVERRIDING SYSTEM VALUE
VALUES (CAST(:load_id AS int), 'write', '', now(), now(), '', '')
ON CONFLICT (load_id) DO NOTHING
