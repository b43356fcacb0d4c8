-- The slowest runs of one task name or of one worker, also with a second condition. Only what ran has an entry, so a task gets one
-- when it ends and none before. Without engine and task id in it, which sort runs of the same length, an index costs ingest 2 %
-- instead of 8, and a tenth of the disk: runs of the same length are sorted when they are read.
CREATE INDEX tasks_by_name_and_runtime ON tasks (project_id, name, state, runtime_ms)
    WHERE name IS NOT NULL AND runtime_ms IS NOT NULL;
CREATE INDEX tasks_by_worker_and_runtime ON tasks (project_id, worker, state, runtime_ms)
    WHERE worker IS NOT NULL AND runtime_ms IS NOT NULL;

-- Tasks whose last change is not soon after their receipt (`z4j_store_pg::tasks::receipt`), in the order of receipt. All others
-- have nearly the order of their changes, which has indexes by name, worker and queue already.
CREATE INDEX tasks_received_apart ON tasks (project_id, received_at, engine, task_id)
    WHERE state_at - received_at NOT BETWEEN 0 AND 300000000;
