-- Where pg_stat_statements is, if this database has it.
-- kind: value
SELECT format('%I.%I', n.nspname, c.relname)
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = 'pg_stat_statements' AND c.relkind = 'v'
