-- A role that nobody logs in as: its rights go to its members.
-- kind: script
-- fill: role=jutsu_example
CREATE ROLE {role} NOLOGIN;
