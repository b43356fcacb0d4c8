-- A list of one state in the order of receipt or run time reads its rows only: without the state in the index it passes all
-- rows of other states, millions for a rare one. A list of all states merges the states.

CREATE INDEX tasks_by_state_and_receipt ON tasks (project_id, state, received_at);
DROP INDEX tasks_by_receipt;
CREATE INDEX tasks_by_state_and_runtime ON tasks (project_id, state, runtime_ms, engine, task_id);
DROP INDEX tasks_by_runtime;
