-- Begin a transaction that only reads; its first query decides which state all of them see.
-- kind: script
PRAGMA query_only = ON;
BEGIN DEFERRED
