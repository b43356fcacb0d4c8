-- Where a new entry goes is as good as random in these two indexes, and with millions of tasks their leaves no longer fit beside what ingest
-- writes: each entry then costs a page read and a page written. Equal entries share one, so what they hold is less than what would
-- be of use to lists. A timeline reads all events of its task in a day anyway; what a list by run time does not find along its index
-- is gathered by that of the worker.
DROP INDEX events_by_task;
CREATE INDEX events_by_task ON events (project_id, task_id) WHERE task_id <> '';
DROP INDEX tasks_by_worker_and_runtime;
CREATE INDEX tasks_by_worker_and_runtime ON tasks (project_id, worker, state, runtime_ms)
    WHERE worker IS NOT NULL AND runtime_ms IS NOT NULL;
