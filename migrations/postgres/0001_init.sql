-- Times are microseconds since 1970 in UTC. JSON is text, kept as it was given. Text compares by bytes (COLLATE "C"), as ids do.
--
-- Two kinds of tables (docs/scaling.md): what belongs to a project is distributed by `project_id` when the database is
-- distributed, so each of its unique keys starts with that column; what belongs to the instance is small and is a reference
-- table then. A test reads the catalogue and holds both kinds to their rules.

-- ---- the instance ---------------------------------------------------------------------------------------------------

CREATE TABLE projects (
    id         uuid   NOT NULL PRIMARY KEY,
    slug       text   COLLATE "C" NOT NULL UNIQUE,
    name       text   NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE users (
    id            uuid    NOT NULL PRIMARY KEY,
    email         text    COLLATE "C" NOT NULL UNIQUE,
    display_name  text    NOT NULL,
    password_hash text    NOT NULL,
    is_admin      boolean NOT NULL,
    is_active     boolean NOT NULL DEFAULT true,
    created_at    bigint  NOT NULL,
    last_login_at bigint
);

CREATE TABLE memberships (
    user_id    uuid NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    project_id uuid NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    role       text NOT NULL,
    PRIMARY KEY (user_id, project_id)
);
CREATE INDEX memberships_by_project ON memberships (project_id);

CREATE TABLE setup_token (
    place      integer NOT NULL PRIMARY KEY CHECK (place = 1),
    token      text    NOT NULL,
    expires_at bigint  NOT NULL
);

CREATE TABLE sessions (
    id           uuid    NOT NULL PRIMARY KEY,
    token_hash   bytea   NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    user_id      uuid    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    created_at   bigint  NOT NULL,
    last_seen_at bigint  NOT NULL,
    idle_until   bigint  NOT NULL,
    expires_at   bigint  NOT NULL,
    ended_at     bigint,
    remember     boolean NOT NULL,
    origin       text,
    user_agent   text
);
CREATE INDEX sessions_by_user ON sessions (user_id);

-- Found by token before the project is known, so they are the instance's.
CREATE TABLE agents (
    id                uuid   NOT NULL PRIMARY KEY,
    project_id        uuid   NOT NULL REFERENCES projects (id),
    name              text   COLLATE "C" NOT NULL,
    token_hash        bytea  NOT NULL UNIQUE CHECK (octet_length(token_hash) = 32),
    old_token_hash    bytea  CHECK (octet_length(old_token_hash) = 32),
    old_valid_until   bigint,
    minted_by         uuid,
    created_at        bigint NOT NULL,
    revoked_at        bigint,
    last_connected_at bigint,
    last_seen_at      bigint,
    framework         text,
    agent_version     text,
    protocol_version  text,
    host              text,
    engines           text   NOT NULL DEFAULT '[]',
    schedulers        text   NOT NULL DEFAULT '[]',
    capabilities      text   NOT NULL DEFAULT '{}',
    reported_at       bigint,
    buffer_entries    bigint,
    health            text   NOT NULL DEFAULT '{}',
    telemetry_loss    text,
    refused_at        bigint,
    refused_code      text,
    refused_message   text,
    refused_skew_ms   bigint,
    refused_total     bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX agents_by_name ON agents (project_id, name) WHERE revoked_at IS NULL;
CREATE INDEX agents_by_project ON agents (project_id, name);
CREATE INDEX agents_by_old_token ON agents (old_token_hash) WHERE old_token_hash IS NOT NULL;

CREATE TABLE agent_losses (
    agent_id   uuid   NOT NULL REFERENCES agents (id),
    buffer_id  text   COLLATE "C" NOT NULL,
    runtime_id text   COLLATE "C" NOT NULL,
    counters   text   NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (agent_id, buffer_id, runtime_id)
);

-- Open links only: a link that closes is deleted.
CREATE TABLE links (
    id           uuid   NOT NULL PRIMARY KEY,
    agent_id     uuid   NOT NULL REFERENCES agents (id),
    replica_id   uuid   NOT NULL,
    worker_id    text,
    worker_role  text,
    pid          bigint,
    connected_at bigint NOT NULL,
    last_seen_at bigint NOT NULL,
    started_at   bigint,
    engines      text   NOT NULL DEFAULT '[]',
    capabilities text   NOT NULL DEFAULT '{}'
) WITH (fillfactor = 70);
CREATE INDEX links_by_agent ON links (agent_id, connected_at);
CREATE INDEX links_by_replica ON links (replica_id);

CREATE TABLE leases (
    name   text   COLLATE "C" NOT NULL PRIMARY KEY,
    holder uuid   NOT NULL,
    fence  bigint NOT NULL,
    until  bigint NOT NULL
);

-- The brains that share this database. `beat` only grows while a brain lives: the others judge it by that and by no clock.
CREATE TABLE replicas (
    id         uuid   NOT NULL PRIMARY KEY,
    beat       bigint NOT NULL,
    announced  bigint NOT NULL,
    started_at bigint NOT NULL,
    clock      bigint NOT NULL
);

CREATE TABLE probe (
    place integer NOT NULL PRIMARY KEY CHECK (place = 1),
    at   bigint  NOT NULL
);

-- ---- projects: the fleet --------------------------------------------------------------------------------------------

CREATE TABLE workers (
    project_id   uuid    NOT NULL,
    engine       text    COLLATE "C" NOT NULL,
    name         text    COLLATE "C" NOT NULL,
    online       boolean NOT NULL,
    last_seen_at bigint  NOT NULL,
    agent_id     uuid    NOT NULL,
    own_link     uuid,
    pid          bigint,
    concurrency  bigint,
    active       bigint,
    queues       text    NOT NULL DEFAULT '[]',
    details      text,
    described_at bigint,
    PRIMARY KEY (project_id, name, engine)
) WITH (fillfactor = 70);
CREATE INDEX workers_online ON workers (last_seen_at) WHERE online;
CREATE INDEX workers_by_link ON workers (own_link) WHERE own_link IS NOT NULL;

CREATE TABLE queues (
    project_id   uuid   NOT NULL,
    engine       text   COLLATE "C" NOT NULL,
    name         text   COLLATE "C" NOT NULL,
    depth        bigint,
    depth_at     bigint,
    last_seen_at bigint NOT NULL,
    PRIMARY KEY (project_id, name, engine)
) WITH (fillfactor = 70);

-- ---- projects: tasks ------------------------------------------------------------------------------------------------

-- `record` is the truth; the other columns are copies to list and filter by. It is last, so that lists do not read it.
-- `sent_from` and `sent_until` bound the `sent_at` of the task's events, so that its timeline reads few partitions.
CREATE TABLE tasks (
    project_id        uuid    NOT NULL,
    engine            text    COLLATE "C" NOT NULL,
    task_id           text    COLLATE "C" NOT NULL,
    state             text    COLLATE "C" NOT NULL,
    state_at          bigint  NOT NULL,
    name              text    COLLATE "C",
    queue             text    COLLATE "C",
    worker            text    COLLATE "C",
    priority          text,
    exception         text,
    exception_message text,
    retry_count       bigint  NOT NULL,
    eta               bigint,
    sent_at           bigint,
    received_at       bigint,
    started_at        bigint,
    finished_at       bigint,
    runtime_ms        bigint,
    wait_ms           bigint,
    agent_id          uuid,
    parent_task_id    text,
    root_task_id      text    COLLATE "C",
    tags              text,
    created_at        bigint  NOT NULL,
    first_at          bigint  NOT NULL,
    sent_from         bigint  NOT NULL,
    sent_until        bigint  NOT NULL,
    record            bytea   NOT NULL,
    PRIMARY KEY (project_id, engine, task_id)
) WITH (fillfactor = 85);
CREATE INDEX tasks_by_change ON tasks (project_id, state_at);
CREATE INDEX tasks_by_state ON tasks (project_id, state, state_at);
CREATE INDEX tasks_by_name ON tasks (project_id, name, state, state_at) WHERE name IS NOT NULL;
CREATE INDEX tasks_by_queue ON tasks (project_id, queue, state, state_at) WHERE queue IS NOT NULL;
CREATE INDEX tasks_by_worker ON tasks (project_id, worker, state, state_at) WHERE worker IS NOT NULL;
CREATE INDEX tasks_by_receipt ON tasks (project_id, received_at);
CREATE INDEX tasks_by_runtime ON tasks (project_id, runtime_ms, engine, task_id);
CREATE INDEX tasks_by_root ON tasks (project_id, root_task_id, first_at) WHERE root_task_id IS NOT NULL;

-- What people search in: task id, name and arguments in small letters, in rows that are appended and never changed. A task
-- whose text grew has several; hits are checked against the record. New rows have no index on their text, because that
-- costs more than all the rest of a task: a pass moves them to `task_texts`, and searches read both.
CREATE TABLE task_texts_new (
    project_id uuid   NOT NULL,
    number     bigint NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1000),
    engine     text   COLLATE "C" NOT NULL,
    task_id    text   COLLATE "C" NOT NULL,
    text       text   COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

CREATE TABLE task_texts (
    project_id uuid   NOT NULL,
    engine     text   COLLATE "C" NOT NULL,
    task_id    text   COLLATE "C" NOT NULL,
    text       text   COLLATE "C" NOT NULL
);

-- Without the extension everything works, and a search reads task after task: the store says so when it opens.
DO $$
BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
EXCEPTION WHEN OTHERS THEN
    RAISE WARNING 'searches in tasks will be slow, because the extension pg_trgm cannot be installed: %', SQLERRM;
END
$$;
DO $$
DECLARE
    home text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'pg_trgm');
BEGIN
    IF home IS NOT NULL THEN
        EXECUTE format('CREATE INDEX task_texts_by_trigram ON task_texts USING gin (text %I.gin_trgm_ops) WITH (gin_pending_list_limit = 65536)', home);
    END IF;
END
$$;

-- A person's retries. Either task may be unknown yet; `tasks` has no copies, because whoever wrote them would have to see the
-- uncommitted rows of others.
CREATE TABLE task_links (
    project_id uuid   NOT NULL,
    engine     text   COLLATE "C" NOT NULL,
    retry      text   COLLATE "C" NOT NULL,
    original   text   COLLATE "C" NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (project_id, engine, retry)
);
CREATE INDEX task_links_by_original ON task_links (project_id, engine, original, at);

-- One partition for each day of `sent_at`, which is part of an event's identity; the default one takes what is far away.
CREATE TABLE events (
    project_id  uuid     NOT NULL,
    sent_at     bigint   NOT NULL,
    id          uuid     NOT NULL,
    engine      text     COLLATE "C" NOT NULL,
    task_id     text     COLLATE "C" NOT NULL,
    occurred_at bigint   NOT NULL,
    rank        smallint NOT NULL,
    kind        text     COLLATE "C" NOT NULL,
    received_at bigint   NOT NULL,
    agent_id    uuid     NOT NULL,
    worker      text,
    queue       text,
    data        text     NOT NULL,
    PRIMARY KEY (project_id, sent_at, id)
) PARTITION BY RANGE (sent_at);
CREATE INDEX events_by_task ON events (project_id, task_id, sent_at) WHERE task_id <> '';
CREATE TABLE events_default PARTITION OF events DEFAULT;

CREATE TABLE quarantine (
    project_id uuid   NOT NULL,
    id         uuid   NOT NULL,
    number     bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    agent_id   uuid   NOT NULL,
    reason     text   NOT NULL,
    detail     text   NOT NULL,
    excerpt    bytea  NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (project_id, id)
);
CREATE INDEX quarantine_by_number ON quarantine (project_id, number);

-- Every number that follows from task records: tasks by state, ends by minute and state, values to filter by, and the
-- sums of workers and queues (their names are the engine, U+FDD0 and `2`, and the name). A number is the sum over its shards: each writer has one of its own, so that writers do not
-- wait for each other's commit.
CREATE TABLE counters (
    project_id uuid     NOT NULL,
    kind       text     COLLATE "C" NOT NULL,
    name       text     COLLATE "C" NOT NULL,
    shard      smallint NOT NULL,
    count      bigint   NOT NULL,
    PRIMARY KEY (project_id, kind, name, shard)
) WITH (fillfactor = 50);

-- Resumable streams of Rust agents (reliability D11): everything up to `position` is stored or a declared gap.
CREATE TABLE streams (
    project_id uuid   NOT NULL,
    agent_id   uuid   NOT NULL,
    stream_id  uuid   NOT NULL,
    position   bigint NOT NULL,
    at         bigint NOT NULL,
    PRIMARY KEY (project_id, agent_id, stream_id)
) WITH (fillfactor = 50);

CREATE TABLE stream_gaps (
    project_id     uuid   NOT NULL,
    agent_id       uuid   NOT NULL,
    stream_id      uuid   NOT NULL,
    first_position bigint NOT NULL,
    last_position  bigint NOT NULL,
    reason         text   NOT NULL,
    at             bigint NOT NULL,
    PRIMARY KEY (project_id, agent_id, stream_id, first_position)
);

-- ---- projects: commands and audit -----------------------------------------------------------------------------------

CREATE TABLE commands (
    project_id         uuid   NOT NULL,
    id                 uuid   NOT NULL,
    agent_id           uuid   NOT NULL,
    issued_by          uuid,
    issued_by_name     text,
    action             text   COLLATE "C" NOT NULL,
    target_type        text   NOT NULL,
    target_id          text   COLLATE "C" NOT NULL,
    engine             text,
    payload            text   NOT NULL,
    idempotency_key    text   COLLATE "C",
    idempotency_digest bytea,
    state              text   COLLATE "C" NOT NULL,
    link_id            uuid,
    result             text,
    error              text,
    issued_at          bigint NOT NULL,
    dispatched_at      bigint,
    acknowledged_at    bigint,
    completed_at       bigint,
    timeout_at         bigint NOT NULL,
    PRIMARY KEY (project_id, id)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX commands_by_idempotency ON commands (project_id, idempotency_key) WHERE idempotency_key IS NOT NULL;
CREATE INDEX commands_by_id ON commands (id);
CREATE INDEX commands_by_issue ON commands (project_id, issued_at, id);
CREATE INDEX commands_by_state ON commands (project_id, state, issued_at, id);
CREATE INDEX commands_by_action ON commands (project_id, action, issued_at, id);
CREATE INDEX commands_by_target ON commands (project_id, target_id, issued_at, id);
CREATE INDEX commands_pending ON commands (agent_id, issued_at, id) WHERE state = 'pending';
CREATE INDEX commands_by_link ON commands (link_id) WHERE link_id IS NOT NULL;
CREATE INDEX commands_by_deadline ON commands (timeout_at) WHERE state IN ('pending', 'dispatched', 'acknowledged');

-- `project_id` is the nil UUID for the instance's chain.
CREATE TABLE audit_entries (
    project_id  uuid    NOT NULL,
    seq         bigint  NOT NULL CHECK (seq > 0),
    id          uuid    NOT NULL,
    version     integer NOT NULL,
    key_id      text    NOT NULL,
    prev_mac    bytea   NOT NULL CHECK (octet_length(prev_mac) = 32),
    mac         bytea   NOT NULL CHECK (octet_length(mac) = 32),
    at          bigint  NOT NULL,
    actor       text    NOT NULL,
    origin      text,
    action      text    COLLATE "C" NOT NULL,
    target_type text    NOT NULL,
    target_id   text    NOT NULL,
    outcome     text    NOT NULL,
    metadata    text    NOT NULL,
    PRIMARY KEY (project_id, seq),
    UNIQUE (project_id, prev_mac),
    UNIQUE (project_id, id)
);

CREATE TABLE audit_heads (
    project_id uuid   NOT NULL PRIMARY KEY,
    seq        bigint NOT NULL,
    mac        bytea  NOT NULL
);

CREATE FUNCTION audit_entries_are_permanent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or deleted' USING ERRCODE = 'integrity_constraint_violation';
END
$$;
CREATE TRIGGER audit_entries_are_permanent BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entries
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entries_are_permanent();
