-- How many rows of the batch have a key that is stored: the merge itself counts new and replaced rows
-- together.
-- kind: value
SELECT count(*)
FROM {batch} AS given
JOIN {table} AS stored ON ({stored_keys}) = ({staged_keys})
