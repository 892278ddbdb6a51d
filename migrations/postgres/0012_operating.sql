-- What those who run the service look at: the processes that live, and what waits for them.

CREATE TABLE processes (
    id            TEXT    PRIMARY KEY,
    host          TEXT    NOT NULL,
    version       TEXT    NOT NULL,
    is_api        BOOLEAN NOT NULL,
    is_worker     BOOLEAN NOT NULL,
    is_scheduler  BOOLEAN NOT NULL,
    started_at    BIGINT  NOT NULL,
    seen_at       BIGINT  NOT NULL
);

CREATE INDEX findings_waiting ON findings (kind) WHERE resolved_at IS NULL;
-- The notifications that say that money came.
CREATE INDEX notifications_of_money ON notifications (received_at) WHERE verified AND event IN ('settled', 'captured');
