-- Equal run times are listed by their latest change: new entries of *state and run time* then land beside each other, where engine and
-- task id sent each to a leaf of its own, and an entry is half as large. That of a worker holds the name as well, so that a list of both
-- reads what it shows; it stays small because it has run times to three digits only, which many tasks share whatever they take.
-- While the new ones are made, nothing is written and everything can be read: the old ones go last. A writer that held a row already
-- would wait for this and keep the old ones from going: none may begin.
LOCK TABLE tasks IN EXCLUSIVE MODE;

-- The first three digits; monotonic. Beyond 10,000 s in steps of 100 s. Not STRICT, or the database would call it instead
-- of writing it out.
CREATE OR REPLACE FUNCTION task_runtime_rounded(runtime_ms bigint) RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE
        WHEN runtime_ms < 1000 THEN runtime_ms
        WHEN runtime_ms < 10000 THEN runtime_ms / 10 * 10
        WHEN runtime_ms < 100000 THEN runtime_ms / 100 * 100
        WHEN runtime_ms < 1000000 THEN runtime_ms / 1000 * 1000
        WHEN runtime_ms < 10000000 THEN runtime_ms / 10000 * 10000
        ELSE runtime_ms / 100000 * 100000 END
$$;
ALTER INDEX tasks_by_state_and_runtime RENAME TO tasks_by_state_and_runtime_before;
CREATE INDEX tasks_by_state_and_runtime ON tasks (project_id, state, runtime_ms, state_at);
ALTER INDEX tasks_by_worker_and_runtime RENAME TO tasks_by_worker_and_runtime_before;
CREATE INDEX tasks_by_worker_and_runtime ON tasks (project_id, worker, state, task_runtime_rounded(runtime_ms), name)
    WHERE worker IS NOT NULL AND runtime_ms IS NOT NULL;
DROP INDEX tasks_by_state_and_runtime_before;
DROP INDEX tasks_by_worker_and_runtime_before;
