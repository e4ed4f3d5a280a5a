-- From now on, plans that do for any parameters, and read a whole table only where no index can serve.
-- kind: script
-- allow: half because SQLite's plan is always for any parameters
SET plan_cache_mode = force_generic_plan;
SET enable_seqscan = off;
