-- Tell whether bars have changed without reading them: each change gives a new random version, so that
-- two states never share one, in this database or in a copy of it.
-- depends: postgresql-0002-ledger
--
-- A change by the toolkit renews the versions of its series; any other change, the one of bars_state.

ALTER TABLE series ADD COLUMN IF NOT EXISTS version uuid;

CREATE TABLE IF NOT EXISTS bars_state (
    only_row        boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version         uuid
);

CREATE OR REPLACE FUNCTION renew_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.version := gen_random_uuid();
    RETURN NEW;
END
$$;

-- Once a transaction is enough, and not at all where bars.claim says that series are renewed instead;
-- but what another trigger does is nobody's claim. The writer need not own bars_state.
CREATE OR REPLACE FUNCTION renew_bars_state() RETURNS trigger LANGUAGE plpgsql
SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() = 1 AND current_setting('jutsu_sql.renewed_in', true) = pg_current_xact_id()::text THEN
        RETURN NULL;
    END IF;
    EXECUTE format('UPDATE %I.bars_state SET version = NULL', TG_TABLE_SCHEMA);
    PERFORM set_config('jutsu_sql.renewed_in', pg_current_xact_id()::text, true);
    RETURN NULL;
END
$$;

-- Whoever made a trigger of it would run his own bars_state's triggers as its owner.
REVOKE ALL ON FUNCTION renew_bars_state() FROM PUBLIC;

-- Distributed tables take no triggers: no versions then, and no snapshots.
DO $$
BEGIN
    CREATE OR REPLACE TRIGGER renew BEFORE INSERT OR UPDATE ON series
        FOR EACH ROW EXECUTE FUNCTION renew_version();
    CREATE OR REPLACE TRIGGER renew BEFORE INSERT OR UPDATE ON bars_state
        FOR EACH ROW EXECUTE FUNCTION renew_version();
    CREATE OR REPLACE TRIGGER renew AFTER INSERT OR UPDATE OR DELETE OR TRUNCATE ON bars
        FOR EACH STATEMENT EXECUTE FUNCTION renew_bars_state();
    -- Logical replication applies rows without statements.
    CREATE OR REPLACE TRIGGER renew_replicated AFTER INSERT OR UPDATE OR DELETE ON bars
        FOR EACH ROW EXECUTE FUNCTION renew_bars_state();
    ALTER TABLE series ENABLE ALWAYS TRIGGER renew;
    ALTER TABLE bars_state ENABLE ALWAYS TRIGGER renew;
    ALTER TABLE bars ENABLE ALWAYS TRIGGER renew;
    ALTER TABLE bars ENABLE REPLICA TRIGGER renew_replicated;
    UPDATE series SET version = NULL;
    INSERT INTO bars_state DEFAULT VALUES ON CONFLICT DO NOTHING;
EXCEPTION WHEN feature_not_supported OR internal_error THEN
    RAISE NOTICE 'bars cannot be watched here: %', SQLERRM;
END
$$;

-- What keeps changes of bars from being seen, if anything; and a state, which is another one after
-- each change by others and after each change of the guard or the table itself. The names are looked up
-- when it is asked, as those of any read are.
CREATE OR REPLACE VIEW bars_guard AS
SELECT
    CASE
        WHEN b.relkind <> 'r' OR b.relispartition OR b.relhassubclass
            OR EXISTS (SELECT 1 FROM pg_inherits WHERE inhrelid = b.oid)
            THEN 'bars is not a table of its own'
        WHEN b.relpersistence <> 'p' THEN 'bars may be lost in a crash'
        WHEN b.relrowsecurity THEN 'bars has row security'
        WHEN b.relhasrules OR s.relhasrules THEN 'bars or series has rules'
        WHEN NOT has_table_privilege(b.oid, 'SELECT') THEN 'you may not read bars'
        WHEN t.guards IS DISTINCT FROM
            'bars.renew A bars.renew_replicated R bars_state.renew A series.renew A'
            OR t.sources_sha256 <> '89fbe34e5e4cdc3886634f17288c8631ac9422ee270a91e580ae6badad841415'
            THEN 'bars and series have not just the triggers that migrations make'
        WHEN x.version IS NULL THEN 'bars_state is empty'
    END AS obstacle,
    concat_ws(
        ' ', x.version, b.oid, b.xmin, b.relfilenode, t.versions,
        (
            SELECT string_agg(a.xmin::text, ' ' ORDER BY a.attnum)
            FROM pg_attribute AS a
            WHERE a.attrelid = b.oid AND a.attnum > 0
        )
    ) AS state
FROM pg_class AS b
JOIN pg_class AS s ON s.oid = to_regclass('series')
LEFT JOIN bars_state AS x ON true
CROSS JOIN (
    SELECT
        string_agg(concat(r.relname, '.', g.tgname, ' ', g.tgenabled), ' ' ORDER BY r.relname, g.tgname) AS guards,
        string_agg(concat_ws(' ', g.oid, g.xmin, p.oid, p.xmin), ' ' ORDER BY r.relname, g.tgname) AS versions,
        encode(sha256(convert_to(replace(string_agg(p.prosrc, '' ORDER BY r.relname, g.tgname), chr(13), ''), 'UTF8')), 'hex')
            AS sources_sha256
    FROM pg_trigger AS g
    JOIN pg_class AS r ON r.oid = g.tgrelid
    JOIN pg_proc AS p ON p.oid = g.tgfoid
    WHERE
        g.tgrelid IN (to_regclass('bars'), to_regclass('series'), to_regclass('bars_state'))
        AND NOT g.tgisinternal
) AS t
WHERE b.oid = to_regclass('bars');

GRANT SELECT ON bars_guard TO PUBLIC;
