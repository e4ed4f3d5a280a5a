-- Hand over the tables that are there: only their owner can migrate them.
-- kind: script
-- fill: role=pg_read_all_data, schema=public
ALTER TABLE {schema}.bars OWNER TO {role};
ALTER TABLE {schema}.series OWNER TO {role};
ALTER TABLE {schema}.loads OWNER TO {role};
ALTER TABLE {schema}.bar_revisions OWNER TO {role};
ALTER TABLE {schema}.load_series OWNER TO {role};
ALTER TABLE {schema}.rejected_bars OWNER TO {role};
ALTER TABLE {schema}.load_readings OWNER TO {role};
ALTER TABLE {schema}.corporate_actions OWNER TO {role};
ALTER TABLE {schema}.coverage OWNER TO {role};
ALTER TABLE {schema}.undone_loads OWNER TO {role};
ALTER TABLE {schema}.calendars OWNER TO {role};
ALTER TABLE {schema}.calendar_sessions OWNER TO {role};
ALTER TABLE {schema}.bars_state OWNER TO {role};
ALTER VIEW {schema}.bars_guard OWNER TO {role};
ALTER VIEW {schema}.market_data OWNER TO {role};
ALTER FUNCTION {schema}.renew_version() OWNER TO {role};
ALTER FUNCTION {schema}.renew_bars_state() OWNER TO {role};
ALTER TABLE {schema}._yoyo_migration OWNER TO {role};
ALTER TABLE {schema}._yoyo_log OWNER TO {role};
ALTER TABLE {schema}._yoyo_version OWNER TO {role};
ALTER TABLE {schema}.yoyo_lock OWNER TO {role};
