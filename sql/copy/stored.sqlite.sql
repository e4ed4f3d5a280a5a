-- How many rows of the batch have a key that is stored: the merge itself counts new and replaced rows
-- together.
-- kind: value
-- fill: table=series, batch=temp.copy_rows, stored_keys=stored.series_id, staged_keys=given.c0
-- after: copy.stage
-- allow: half because PostgreSQL's merge tells new rows from replaced ones
SELECT count(*)
FROM {batch} AS given
JOIN {table} AS stored ON ({stored_keys}) = ({staged_keys})
