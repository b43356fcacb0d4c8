-- Where a new entry goes is as good as random in these two indexes, and with millions of tasks their leaves no longer fit beside what ingest
-- writes: each entry then costs a page read and a page written. Equal entries share one, so what they hold is less than what would
-- be of use to lists. A timeline reads all events of its task in a day anyway; what a list by run time does not find along its index
-- is gathered by that of the name, queue or worker. While the new ones are made, nothing is written and everything can be read: the old
-- ones go last, because whoever drops an index keeps readers out until the end.
ALTER INDEX events_by_task RENAME TO events_by_task_before;
CREATE INDEX events_by_task ON events (project_id, task_id) WHERE task_id <> '';
ALTER INDEX tasks_by_worker_and_runtime RENAME TO tasks_by_worker_and_runtime_before;
CREATE INDEX tasks_by_worker_and_runtime ON tasks (project_id, worker, state, runtime_ms)
    WHERE worker IS NOT NULL AND runtime_ms IS NOT NULL;
DROP INDEX events_by_task_before;
DROP INDEX tasks_by_worker_and_runtime_before;
