-- Everything that migrations make: relations with their columns, constraints and indexes, triggers, functions.
-- kind: many
SELECT 'column' AS what, table_name || '.' || column_name AS name, data_type || ' ' || is_nullable AS how
FROM information_schema.columns
WHERE table_schema = current_schema() AND table_name NOT LIKE '%yoyo%'
UNION ALL
SELECT 'constraint', conrelid::regclass::text, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE connamespace = current_schema()::regnamespace AND conrelid::regclass::text NOT LIKE '%yoyo%'
UNION ALL
SELECT 'index', tablename::text, indexdef
FROM pg_indexes
WHERE schemaname = current_schema() AND tablename NOT LIKE '%yoyo%'
UNION ALL
SELECT 'trigger', tgrelid::regclass::text || '.' || tgname, pg_get_triggerdef(oid) || ' ' || tgenabled::text
FROM pg_trigger
WHERE NOT tgisinternal
UNION ALL
SELECT 'function', proname::text, prosrc
FROM pg_proc
WHERE pronamespace = current_schema()::regnamespace
ORDER BY 1, 2, 3
