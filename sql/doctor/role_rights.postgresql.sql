-- A role that may do more than it needs, or too little to read.
-- kind: many
-- allow: half because on SQLite the file's permissions are the rights
SELECT 'warning' AS severity, current_user || ' is a superuser' AS found,
    'connect as a role with the rights of one job: jutsu-sql roles' AS remedy
WHERE current_setting('is_superuser') = 'on'
UNION ALL
SELECT 'error', current_user || ' may not read ' || string_agg(needed.name, ', ' ORDER BY needed.name), 'jutsu-sql roles reader'
FROM (VALUES ('bars'), ('bar_revisions'), ('loads'), ('load_series'), ('rejected_bars'), ('series')) AS needed (name)
WHERE NOT has_table_privilege(to_regclass(needed.name), 'SELECT')
HAVING count(*) > 0
UNION ALL
SELECT 'warning', 'everybody may create objects in the schema ' || current_schema(),
    format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema())
WHERE EXISTS (
    SELECT 1
    FROM pg_namespace, aclexplode(nspacl) AS granted
    WHERE nspname = current_schema() AND granted.grantee = 0 AND granted.privilege_type = 'CREATE'
)
ORDER BY found
