-- What it takes to load, delete and undo, on top of the rights of a reader. A load is staged in a temporary table.
-- No right to alter: the key of bars stays, which the owner's first big load builds anew.
-- kind: script
-- fill: role=pg_read_all_data, schema=public, database=template1
GRANT TEMPORARY ON DATABASE {database} TO {role};
GRANT INSERT ON
    {schema}.bars, {schema}.series, {schema}.loads, {schema}.bar_revisions, {schema}.load_series,
    {schema}.rejected_bars, {schema}.load_readings, {schema}.corporate_actions,
    {schema}.coverage, {schema}.undone_loads, {schema}.calendars, {schema}.calendar_sessions
TO {role};
GRANT UPDATE ON
    {schema}.bars, {schema}.series, {schema}.loads, {schema}.load_series, {schema}.corporate_actions,
    {schema}.calendars
TO {role};
GRANT DELETE ON
    {schema}.bars, {schema}.loads, {schema}.calendar_sessions
TO {role};
