-- What people do with jobs: kinds that are paused, and indexes by which a million jobs are looked through.

CREATE TABLE paused_kinds (
    kind       TEXT   PRIMARY KEY,
    paused_at  INTEGER NOT NULL,
    paused_by  TEXT   NOT NULL,
    reason     TEXT   NOT NULL
);

-- For the board alone, whose queries say `id > 0`. A planner that knows no numbers would take these for the ledger's own
-- work as well, and read a million jobs that are done in search of the few that are due.
CREATE INDEX jobs_by_state ON jobs (state, id) WHERE id > 0;
CREATE INDEX jobs_by_kind ON jobs (kind, state, id) WHERE id > 0;
CREATE INDEX jobs_failed ON jobs (id) WHERE last_error IS NOT NULL;
-- `jobs_by_state` does what this one did.
DROP INDEX jobs_dead;

-- From a room to its bills, and from those to the payments and their jobs.
CREATE INDEX bills_of_room ON bills (room_id);
