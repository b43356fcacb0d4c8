-- Lists of a name together with a queue, and of a worker together with a name, a queue or both: what is not asked for is passed over
-- in the index, without a look at the row. Before, a page of three filters read up to 160,000 rows from all over the table, and
-- was stopped after 5 s when cold. An entry has 2,700 bytes at most, so the three names of a task have less than that together.
DO $$
DECLARE
    long record;
BEGIN
    SELECT project_id, engine, task_id INTO long FROM tasks
        WHERE coalesce(octet_length(name), 0) + coalesce(octet_length(queue), 0) + coalesce(octet_length(worker), 0) > 2500 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'name, queue and worker of task % (engine %, project %) have more than 2,500 bytes together, and lists index them: shorten them or delete the task, then start z4j again',
            long.task_id, long.engine, long.project_id;
    END IF;
END
$$;
DROP INDEX tasks_by_name;
CREATE INDEX tasks_by_name ON tasks (project_id, name, state, state_at, queue) WHERE name IS NOT NULL;
DROP INDEX tasks_by_worker;
CREATE INDEX tasks_by_worker ON tasks (project_id, worker, state, state_at, name, queue) WHERE worker IS NOT NULL;
DROP INDEX tasks_by_worker_and_runtime;
CREATE INDEX tasks_by_worker_and_runtime ON tasks (project_id, worker, state, runtime_ms, name, queue)
    WHERE worker IS NOT NULL AND runtime_ms IS NOT NULL;
