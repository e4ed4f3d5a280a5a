-- Say that this transaction renews the versions of the series whose bars it changes, by series.touch, and so need
-- not renew that of all bars, for which writers would have to queue.
-- kind: value
-- allow: pair because nothing is to be said on SQLite
-- allow: rows because nothing is to be said on SQLite
SELECT set_config('jutsu_sql.renewed_in', pg_current_xact_id()::text, true)
