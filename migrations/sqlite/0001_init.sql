-- Times are microseconds since 1970 in UTC. Ids are 16-byte blobs. JSON is text, kept as it was given.
-- Secondary indexes hold small keys only: ties are broken by sorting the few rows of one microsecond.

CREATE TABLE projects (
    key        INTEGER PRIMARY KEY,
    id         BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    slug       TEXT    NOT NULL UNIQUE,
    name       TEXT    NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE users (
    id            BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    email         TEXT    NOT NULL UNIQUE,
    display_name  TEXT    NOT NULL,
    password_hash TEXT    NOT NULL,
    is_admin      INTEGER NOT NULL CHECK (is_admin IN (0, 1)),
    is_active     INTEGER NOT NULL DEFAULT 1 CHECK (is_active IN (0, 1)),
    created_at    INTEGER NOT NULL,
    last_login_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE memberships (
    user_id BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project INTEGER NOT NULL REFERENCES projects (key) ON DELETE CASCADE,
    role    TEXT    NOT NULL,
    PRIMARY KEY (user_id, project)
) STRICT, WITHOUT ROWID;
CREATE INDEX memberships_by_project ON memberships (project);

CREATE TABLE setup_token (
    only       INTEGER PRIMARY KEY CHECK (only = 1),
    token      TEXT    NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    token_hash   BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    user_id      BLOB    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    idle_until   INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL,
    ended_at     INTEGER,
    remember     INTEGER NOT NULL CHECK (remember IN (0, 1)),
    origin       TEXT,
    user_agent   TEXT
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE agents (
    id                BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    project           INTEGER NOT NULL REFERENCES projects (key),
    name              TEXT    NOT NULL,
    token_hash        BLOB    NOT NULL UNIQUE CHECK (length(token_hash) = 32),
    old_token_hash    BLOB    CHECK (length(old_token_hash) = 32),
    old_valid_until   INTEGER,
    minted_by         BLOB,
    created_at        INTEGER NOT NULL,
    revoked_at        INTEGER,
    last_connected_at INTEGER,
    last_seen_at      INTEGER,
    framework         TEXT,
    agent_version     TEXT,
    protocol_version  TEXT,
    host              TEXT,
    engines           TEXT    NOT NULL DEFAULT '[]',
    schedulers        TEXT    NOT NULL DEFAULT '[]',
    capabilities      TEXT    NOT NULL DEFAULT '{}',
    reported_at       INTEGER,
    buffer_entries    INTEGER,
    health            TEXT    NOT NULL DEFAULT '{}',
    telemetry_loss    TEXT,
    refused_at        INTEGER,
    refused_code      TEXT,
    refused_message   TEXT,
    refused_skew_ms   INTEGER,
    refused_total     INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX agents_by_name ON agents (project, name) WHERE revoked_at IS NULL;
CREATE INDEX agents_by_project ON agents (project, name);
CREATE INDEX agents_by_old_token ON agents (old_token_hash) WHERE old_token_hash IS NOT NULL;

CREATE TABLE agent_losses (
    agent_id   BLOB    NOT NULL REFERENCES agents (id),
    buffer_id  TEXT    NOT NULL,
    runtime_id TEXT    NOT NULL,
    counters   TEXT    NOT NULL,
    at         INTEGER NOT NULL,
    PRIMARY KEY (agent_id, buffer_id, runtime_id)
) STRICT, WITHOUT ROWID;

-- Open links only: a link that closes is deleted.
CREATE TABLE links (
    id           BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    agent_id     BLOB    NOT NULL REFERENCES agents (id),
    replica_id   BLOB    NOT NULL,
    worker_id    TEXT,
    worker_role  TEXT,
    pid          INTEGER,
    connected_at INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX links_by_agent ON links (agent_id, connected_at);
CREATE INDEX links_by_replica ON links (replica_id);

CREATE TABLE workers (
    project      INTEGER NOT NULL REFERENCES projects (key),
    engine       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    online       INTEGER NOT NULL CHECK (online IN (0, 1)),
    last_seen_at INTEGER NOT NULL,
    agent_id     BLOB    NOT NULL,
    own_link     BLOB,
    pid          INTEGER,
    concurrency  INTEGER,
    active       INTEGER,
    queues       TEXT    NOT NULL DEFAULT '[]',
    details      TEXT,
    described_at INTEGER,
    succeeded    INTEGER NOT NULL DEFAULT 0,
    failed       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, name, engine)
) STRICT, WITHOUT ROWID;
CREATE INDEX workers_online ON workers (last_seen_at) WHERE online = 1;
CREATE INDEX workers_by_link ON workers (own_link) WHERE own_link IS NOT NULL;

CREATE TABLE queues (
    project      INTEGER NOT NULL REFERENCES projects (key),
    engine       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    depth        INTEGER,
    depth_at     INTEGER,
    last_seen_at INTEGER NOT NULL,
    waiting      INTEGER NOT NULL DEFAULT 0,
    running      INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project, name, engine)
) STRICT, WITHOUT ROWID;

-- `record` is the truth; the other columns are copies to list and filter by. It is last, so that lists do not read it.
CREATE TABLE tasks (
    key               INTEGER PRIMARY KEY,
    project           INTEGER NOT NULL REFERENCES projects (key),
    engine            TEXT    NOT NULL,
    task_id           TEXT    NOT NULL,
    state             TEXT    NOT NULL,
    state_at          INTEGER NOT NULL,
    name              TEXT,
    queue             TEXT,
    worker            TEXT,
    priority          TEXT,
    exception         TEXT,
    exception_message TEXT,
    retry_count       INTEGER NOT NULL,
    eta               INTEGER,
    sent_at           INTEGER,
    received_at       INTEGER,
    started_at        INTEGER,
    finished_at       INTEGER,
    runtime_ms        INTEGER,
    wait_ms           INTEGER,
    agent_id          BLOB,
    parent_task_id    TEXT,
    root_task_id      TEXT,
    retried_as        TEXT,
    retry_of          TEXT,
    tags              TEXT,
    created_at        INTEGER NOT NULL,
    first_at          INTEGER NOT NULL,
    record            BLOB    NOT NULL,
    UNIQUE (project, engine, task_id)
) STRICT;
CREATE INDEX tasks_by_change ON tasks (project, state_at);
CREATE INDEX tasks_by_state ON tasks (project, state, state_at);
CREATE INDEX tasks_by_name ON tasks (project, name, state_at) WHERE name IS NOT NULL;
CREATE INDEX tasks_by_queue ON tasks (project, queue, state_at) WHERE queue IS NOT NULL;
CREATE INDEX tasks_by_worker ON tasks (project, worker, state_at) WHERE worker IS NOT NULL;
CREATE INDEX tasks_by_receipt ON tasks (project, received_at);
CREATE INDEX tasks_by_finish ON tasks (project, finished_at);
-- Many tasks run equally long, so this one holds the order of ties too.
CREATE INDEX tasks_by_runtime ON tasks (project, runtime_ms, engine, task_id);
CREATE INDEX tasks_by_root ON tasks (project, root_task_id) WHERE root_task_id IS NOT NULL;

-- A person's retries. Either task may be unknown yet; `tasks` has copies.
CREATE TABLE task_links (
    project  INTEGER NOT NULL REFERENCES projects (key),
    engine   TEXT    NOT NULL,
    retry    TEXT    NOT NULL,
    original TEXT    NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (project, engine, retry)
) STRICT, WITHOUT ROWID;
CREATE INDEX task_links_by_original ON task_links (project, engine, original, at);

-- `sent_at` is null when it equals `occurred_at`; `task` is null for what is not about a task.
CREATE TABLE events (
    key         INTEGER PRIMARY KEY,
    project     INTEGER NOT NULL,
    id          BLOB    NOT NULL CHECK (length(id) = 16),
    task        INTEGER,
    occurred_at INTEGER NOT NULL,
    rank        INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    sent_at     INTEGER,
    received_at INTEGER NOT NULL,
    agent_id    BLOB    NOT NULL,
    engine      TEXT    NOT NULL,
    worker      TEXT,
    queue       TEXT,
    data        TEXT    NOT NULL
) STRICT;
CREATE UNIQUE INDEX events_by_id ON events (id, project);
CREATE INDEX events_by_task ON events (task, occurred_at, rank) WHERE task IS NOT NULL;

CREATE TABLE quarantine (
    key        INTEGER PRIMARY KEY,
    project_id BLOB    NOT NULL,
    id         BLOB    NOT NULL,
    agent_id   BLOB    NOT NULL,
    reason     TEXT    NOT NULL,
    detail     TEXT    NOT NULL,
    excerpt    BLOB    NOT NULL,
    at         INTEGER NOT NULL,
    UNIQUE (project_id, id)
) STRICT;

CREATE TABLE state_counts (
    project INTEGER NOT NULL REFERENCES projects (key),
    state   TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (project, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE minute_counts (
    project INTEGER NOT NULL REFERENCES projects (key),
    minute  INTEGER NOT NULL,
    state   TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (project, minute, state)
) STRICT, WITHOUT ROWID;

CREATE TABLE facet_counts (
    project INTEGER NOT NULL REFERENCES projects (key),
    facet   TEXT    NOT NULL,
    value   TEXT    NOT NULL,
    count   INTEGER NOT NULL,
    PRIMARY KEY (project, facet, value)
) STRICT, WITHOUT ROWID;

CREATE TABLE commands (
    id                 BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    project            INTEGER NOT NULL REFERENCES projects (key),
    agent_id           BLOB    NOT NULL REFERENCES agents (id),
    issued_by          BLOB,
    issued_by_name     TEXT,
    action             TEXT    NOT NULL,
    target_type        TEXT    NOT NULL,
    target_id          TEXT    NOT NULL,
    engine             TEXT,
    payload            TEXT    NOT NULL,
    idempotency_key    TEXT,
    idempotency_digest BLOB,
    state              TEXT    NOT NULL,
    link_id            BLOB,
    result             TEXT,
    error              TEXT,
    issued_at          INTEGER NOT NULL,
    dispatched_at      INTEGER,
    acknowledged_at    INTEGER,
    completed_at       INTEGER,
    timeout_at         INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX commands_by_idempotency ON commands (project, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX commands_by_issue ON commands (project, issued_at, id);
CREATE INDEX commands_by_state ON commands (project, state, issued_at, id);
CREATE INDEX commands_by_action ON commands (project, action, issued_at, id);
CREATE INDEX commands_by_target ON commands (project, target_id, issued_at, id);
CREATE INDEX commands_pending ON commands (agent_id, issued_at, id) WHERE state = 'pending';
CREATE INDEX commands_by_link ON commands (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX commands_by_deadline ON commands (timeout_at) WHERE state IN ('pending', 'dispatched', 'acknowledged');

-- `chain` is empty for the instance's chain, else the project's id.
CREATE TABLE audit_entries (
    chain       BLOB    NOT NULL,
    seq         INTEGER NOT NULL CHECK (seq > 0),
    id          BLOB    NOT NULL UNIQUE CHECK (length(id) = 16),
    version     INTEGER NOT NULL,
    key_id      TEXT    NOT NULL,
    prev_mac    BLOB    NOT NULL CHECK (length(prev_mac) = 32),
    mac         BLOB    NOT NULL CHECK (length(mac) = 32),
    at          INTEGER NOT NULL,
    actor       TEXT    NOT NULL,
    origin      TEXT,
    action      TEXT    NOT NULL,
    target_type TEXT    NOT NULL,
    target_id   TEXT    NOT NULL,
    outcome     TEXT    NOT NULL,
    metadata    TEXT    NOT NULL,
    PRIMARY KEY (chain, seq),
    UNIQUE (chain, prev_mac)
) STRICT, WITHOUT ROWID;

CREATE TABLE audit_heads (
    chain BLOB    NOT NULL PRIMARY KEY,
    seq   INTEGER NOT NULL,
    mac   BLOB    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER audit_entries_are_never_changed BEFORE UPDATE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'audit entries are never changed');
END;
CREATE TRIGGER audit_entries_are_never_deleted BEFORE DELETE ON audit_entries
BEGIN
    SELECT raise(ABORT, 'audit entries are never deleted');
END;

CREATE TABLE leases (
    name   TEXT    NOT NULL PRIMARY KEY,
    holder BLOB    NOT NULL,
    fence  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE probe (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at   INTEGER NOT NULL
) STRICT;
