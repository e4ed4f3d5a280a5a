-- Settings of the server under which what was acknowledged can be lost, or tables decay.
-- kind: many
-- allow: half because every connection sets its own on SQLite
SELECT bad.severity, bad.name || ' is ' || current_setting(bad.name) AS found, bad.remedy
FROM (
    VALUES
    ('fsync', 'off', 'error', 'set it on: a crash of the machine destroys the database'),
    ('full_page_writes', 'off', 'error', 'set it on: a crash of the machine can destroy pages'),
    ('synchronous_commit', 'off', 'warning', 'set it on: a crash loses loads that were acknowledged'),
    ('zero_damaged_pages', 'on', 'error', 'set it off: damaged pages vanish without a word'),
    ('autovacuum', 'off', 'warning', 'set it on: tables grow, and plans are made from old statistics'),
    ('track_counts', 'off', 'warning', 'set it on: autovacuum does nothing without it')
) AS bad (name, value, severity, remedy)
WHERE current_setting(bad.name) = bad.value
ORDER BY found
