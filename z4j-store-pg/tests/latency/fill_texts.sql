-- Fills the searched words after `fill.sql`, and is done in shares, so that several sessions work side by side:
--   psql -v ON_ERROR_STOP=1 -v share=0 -v shares=2 -f fill_texts.sql DATABASE
-- Takes about three minutes of one core for each million tasks.

SET synchronous_commit = off;
SET maintenance_work_mem = '1GB';

SELECT format('task_texts_%s', to_char(to_timestamp(day * 86400) AT TIME ZONE 'UTC', 'YYYYMMDD')) AS name,
    day * 86400000000 AS from_at, (day + 1) * 86400000000 AS until_at
INTO TEMP days FROM (
    SELECT generate_series(min(state_at) / 86400000000, max(state_at) / 86400000000) AS day
    FROM tasks WHERE project_id = '00000000-0000-0000-0000-000000000001'
) span WHERE day % :shares = :share;

SELECT format('CREATE TABLE %1$s (LIKE task_texts INCLUDING DEFAULTS)', name),
    format($$INSERT INTO %s (project_id, at, engine, task_id, words)
        SELECT tasks.project_id, state_at, engine, task_id, regexp_replace(lower((task_id || ' ' || tasks.name || ' '
            || convert_from(substring(record FROM 104 FOR 60), 'UTF8') || ' '
            || convert_from(substring(record FROM 168 FOR 150), 'UTF8')) COLLATE "C"),
            '[\x01-/:-@\x5b-`\x7b-\x7f]+', ' ', 'g')
        FROM projects JOIN tasks ON tasks.project_id = projects.id AND state_at >= %s AND state_at < %s ORDER BY state_at$$, name, from_at, until_at),
    format('CREATE INDEX %1$s_by_gram ON %1$s USING gin (task_text_grams(words)) WITH (gin_pending_list_limit = 65536)', name),
    format('ALTER INDEX %s_by_gram ALTER COLUMN 1 SET STATISTICS 0', name),
    format('ALTER TABLE task_texts ATTACH PARTITION %s FOR VALUES FROM (%s) TO (%s)', name, from_at, until_at),
    format('VACUUM ANALYZE %s', name)
FROM days ORDER BY from_at \gexec
