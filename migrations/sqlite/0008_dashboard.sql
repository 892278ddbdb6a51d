-- The dashboard: what an admin may do, and the sessions of browsers.

-- Of a tenant it says nothing.
ALTER TABLE users ADD COLUMN rank TEXT NOT NULL DEFAULT 'owner' CHECK (rank IN ('owner', 'staff', 'viewer'));

CREATE TABLE dashboard_sessions (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    token_hash  TEXT    NOT NULL UNIQUE,
    user_id     INTEGER NOT NULL REFERENCES users (id),
    created_at  INTEGER NOT NULL,
    seen_at     INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    ended_at    INTEGER
);
CREATE INDEX dashboard_sessions_user ON dashboard_sessions (user_id);
CREATE INDEX dashboard_sessions_end ON dashboard_sessions (expires_at);
CREATE INDEX refresh_tokens_end ON refresh_tokens (expires_at);
