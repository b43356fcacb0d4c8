-- Resumable streams of agents: everything up to `position` is stored or a declared gap.

CREATE TABLE streams (
    project   INTEGER NOT NULL,
    agent_id  BLOB    NOT NULL CHECK (length(agent_id) = 16),
    stream_id BLOB    NOT NULL CHECK (length(stream_id) = 16),
    position  INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (project, agent_id, stream_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX streams_by_age ON streams (agent_id, at);

CREATE TABLE stream_gaps (
    project        INTEGER NOT NULL,
    agent_id       BLOB    NOT NULL,
    stream_id      BLOB    NOT NULL,
    first_position INTEGER NOT NULL,
    last_position  INTEGER NOT NULL,
    reason         TEXT    NOT NULL,
    at             INTEGER NOT NULL,
    PRIMARY KEY (project, agent_id, stream_id, first_position),
    FOREIGN KEY (project, agent_id, stream_id) REFERENCES streams ON DELETE CASCADE
) STRICT, WITHOUT ROWID;
