-- What people search in, by the day of the task's state, each day with an index of its own: a search for the latest hits reads
-- the latest days only. The index has every four neighbouring letters or digits, where one of three has a trigram: numbers,
-- which people look for most, are rare by four and not by three.

-- The grams of a line of words between single spaces: four bytes within a word, or its last three and the space, as one number
-- each (its first bit flipped). `z4j_store_pg::tasks::needle` makes the same of what is looked for.
CREATE FUNCTION task_text_grams(words text) RETURNS int4[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(((get_byte(line, at) - 128) << 24) + (get_byte(line, at + 1) << 16)
        + (get_byte(line, at + 2) << 8) + get_byte(line, at + 3))
    FROM (SELECT convert_to(words || ' ', 'UTF8') AS line OFFSET 0) bytes, generate_series(0, length(line) - 4) AS at
    WHERE get_byte(line, at + 2) <> 32 AND get_byte(line, at) <> 32 AND get_byte(line, at + 1) <> 32
$$;

ALTER TABLE task_texts RENAME TO task_texts_before;
ALTER TABLE task_texts_new RENAME TO task_texts_new_before;
ALTER TABLE task_texts_new_before RENAME CONSTRAINT task_texts_new_pkey TO task_texts_new_before_pkey;

-- Rows are appended and never changed; a task whose words or day changed has several, one of them of its day. `at` is the
-- task's `state_at` when the row was written. New rows wait here: indexing costs more than all the rest of a task.
CREATE TABLE task_texts_new (
    project_id uuid   NOT NULL,
    number     bigint NOT NULL GENERATED ALWAYS AS IDENTITY (CACHE 1000),
    at         bigint NOT NULL,
    engine     text   COLLATE "C" NOT NULL,
    task_id    text   COLLATE "C" NOT NULL,
    words      text   COLLATE "C" NOT NULL,
    PRIMARY KEY (project_id, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_cost_delay = 0);

-- One partition for each day, made ahead as those of events are; the default one takes what is far away.
CREATE TABLE task_texts (
    project_id uuid   NOT NULL,
    at         bigint NOT NULL,
    engine     text   COLLATE "C" NOT NULL,
    task_id    text   COLLATE "C" NOT NULL,
    words      text   COLLATE "C" NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX task_texts_by_gram ON task_texts USING gin (task_text_grams(words)) WITH (gin_pending_list_limit = 65536);
CREATE TABLE task_texts_default PARTITION OF task_texts DEFAULT;

-- What is there is indexed again, beside ingest.
INSERT INTO task_texts_new (project_id, at, engine, task_id, words)
    SELECT project_id, tasks.state_at, engine, task_id,
        regexp_replace(before.text, '[\x01-/:-@\x5b-`\x7b-\x7f]+', ' ', 'g')
    FROM (SELECT project_id, engine, task_id, text FROM task_texts_before
        UNION ALL SELECT project_id, engine, task_id, text FROM task_texts_new_before) before
    JOIN tasks USING (project_id, engine, task_id);
DROP TABLE task_texts_before;
DROP TABLE task_texts_new_before;

-- Tasks that have not ended, in the order of their keys: they follow those that ended in a list by end.
CREATE INDEX tasks_unended ON tasks (project_id, state, engine, task_id) WHERE finished_at IS NULL;
