-- A gram for the beginning of a word, as there is one for its end, and one for a byte that is there five times or more in a row.
-- Without the first, all that ends like a number is a candidate for it (25 of 100,000 end like one of four digits); without
-- the second, a number of one digit repeated has a single gram, however long it is.

-- The indexes of all days go with it, and what they had is indexed again beside ingest.
DROP INDEX task_texts_by_gram;
INSERT INTO task_texts_new (project_id, at, engine, task_id, words) SELECT project_id, at, engine, task_id, words FROM task_texts;
TRUNCATE task_texts;

-- The grams of a line of words between single spaces: a space and the first three bytes of a word, four bytes within it, or its
-- last three and the space, as one number each (its first bit flipped). Where the byte before four equal ones is the same, their
-- number is left, and there is one for a run of five, which no text has: the byte and three spaces.
-- `z4j_store_pg::tasks::needle` makes the same of what is looked for.
CREATE OR REPLACE FUNCTION task_text_grams(words text) RETURNS int4[] LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT array_agg(CASE
        WHEN get_byte(line, at - 1) = get_byte(line, at) AND get_byte(line, at) = get_byte(line, at + 1)
            AND get_byte(line, at) = get_byte(line, at + 2) AND get_byte(line, at) = get_byte(line, at + 3)
        THEN ((get_byte(line, at) - 128) << 24) + 2105376
        ELSE ((get_byte(line, at) - 128) << 24) + (get_byte(line, at + 1) << 16)
            + (get_byte(line, at + 2) << 8) + get_byte(line, at + 3) END)
    FROM (SELECT convert_to('  ' || words || ' ', 'UTF8') AS line OFFSET 0) bytes, generate_series(1, length(line) - 4) AS at
    WHERE get_byte(line, at + 2) <> 32 AND get_byte(line, at + 1) <> 32
        AND (get_byte(line, at) <> 32 OR get_byte(line, at + 3) <> 32)
$$;

CREATE INDEX task_texts_by_gram ON task_texts USING gin (task_text_grams(words)) WITH (gin_pending_list_limit = 65536);
-- Nobody wants statistics of grams, and to make them costs more than to index.
DO $$ DECLARE name text; BEGIN
    FOR name IN SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'task_texts_by_gram'::regclass LOOP
        EXECUTE 'ALTER INDEX ' || name || ' ALTER COLUMN 1 SET STATISTICS 0';
    END LOOP;
END $$;
