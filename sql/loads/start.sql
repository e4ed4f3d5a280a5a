-- Begin a load and give its id.
-- kind: value
-- timestamps: observed_at, started_at
INSERT INTO loads (kind, source, uri, content_sha256, observed_at, started_at, actor, tool_version)
VALUES (
    CAST(:kind AS text),
    CAST(:source AS text),
    CAST(:uri AS text),
    CAST(:content_sha256 AS text),
    :observed_at,
    :started_at,
    CAST(:actor AS text),
    CAST(:tool_version AS text)
)
RETURNING load_id
