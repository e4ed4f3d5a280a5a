-- What it takes to read bars and their history, and nothing else.
-- kind: script
-- fill: role=pg_read_all_data, schema=public, database=template1
GRANT CONNECT ON DATABASE {database} TO {role};
GRANT USAGE ON SCHEMA {schema} TO {role};
GRANT SELECT ON
    {schema}.bars, {schema}.series, {schema}.loads, {schema}.bar_revisions, {schema}.load_series,
    {schema}.rejected_bars, {schema}.load_readings, {schema}.corporate_actions,
    {schema}.coverage, {schema}.undone_loads, {schema}.calendars, {schema}.calendar_sessions,
    {schema}.bars_state, {schema}.bars_guard, {schema}.market_data,
    {schema}._yoyo_migration
TO {role};
