-- Until the transaction ends, a plan that does for any parameters, and reads a whole table only
-- where no index can serve.
-- kind: script
-- allow: half because SQLite's plan is always for any parameters
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL enable_seqscan = off;
