-- Empty the table of a scratch file, and of no other: without the mark the first statement fails.
-- kind: script
-- after: bench.mark_scratch
UPDATE jutsu_bench SET times_emptied = times_emptied + 1;
DELETE FROM bars;
