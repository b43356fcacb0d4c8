-- Equal run times are listed by their latest change, so that new entries land beside each other.
DROP INDEX tasks_by_runtime;
CREATE INDEX tasks_by_runtime ON tasks (project, runtime_ms, state_at);
