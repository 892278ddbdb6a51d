-- Who an admin is at the OpenID Connect provider that logs admins in; NULL: nobody there yet.

ALTER TABLE users ADD COLUMN oidc_issuer TEXT;
ALTER TABLE users ADD COLUMN oidc_subject TEXT;
CREATE UNIQUE INDEX users_identity ON users (oidc_issuer, oidc_subject)
    WHERE oidc_subject IS NOT NULL AND deleted_at IS NULL;
