-- Find the loads that are under way, or whose writer is gone.
-- depends: sqlite-0003-versions

CREATE INDEX IF NOT EXISTS loads_unfinished ON loads (load_id) WHERE finished_at IS NULL;
