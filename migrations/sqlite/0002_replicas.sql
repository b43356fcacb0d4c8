-- Several brains on one store: who lives, and what a link's process can do, which every brain has to know.

CREATE TABLE replicas (
    id         BLOB    NOT NULL PRIMARY KEY CHECK (length(id) = 16),
    beat       INTEGER NOT NULL,
    announced  INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    clock      INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Links of a program that knew no replicas: nobody would close them.
UPDATE workers SET online = 0 WHERE online = 1 AND own_link IN (SELECT id FROM links);
DELETE FROM links;
ALTER TABLE links ADD COLUMN started_at INTEGER;
ALTER TABLE links ADD COLUMN engines TEXT NOT NULL DEFAULT '[]';
ALTER TABLE links ADD COLUMN capabilities TEXT NOT NULL DEFAULT '{}';
