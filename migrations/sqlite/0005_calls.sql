-- What was asked of the gateway and what it answered, for whoever must prove it later. Keys and tokens are masked.

CREATE TABLE gateway_calls (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    name     TEXT,
    method   TEXT   NOT NULL,
    path     TEXT   NOT NULL,
    http     INTEGER CHECK (http BETWEEN 0 AND 999),
    answer   TEXT   NOT NULL,
    error    TEXT,
    at       INTEGER NOT NULL,
    took_ms  INTEGER NOT NULL CHECK (took_ms >= 0)
);
CREATE INDEX gateway_calls_of_name ON gateway_calls (name, id) WHERE name IS NOT NULL;
CREATE INDEX gateway_calls_at ON gateway_calls (at);
