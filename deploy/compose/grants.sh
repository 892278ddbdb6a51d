#!/bin/sh
# Gives the role `kasir_service` its rights, and makes or renews the log-in `kasir` that has them. Run by docker-compose.yml
# after each migration, as the owner of the database; PGHOST, PGUSER and PGDATABASE say which.
set -eu
folder="${KASIR_SECRETS:-/run/secrets}"
PGPASSWORD="$(cat "$folder/owner_password")"
export PGPASSWORD
psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --file "${KASIR_ROLE_FILE:-/postgres-role.sql}"
# The password goes by standard input, so that no list of processes shows it.
{
    printf '\\set password `cat %s`\n' "$folder/service_password"
    cat <<'SQL'
SELECT 'CREATE ROLE kasir LOGIN IN ROLE kasir_service'
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'kasir') \gexec
ALTER ROLE kasir PASSWORD :'password';
SQL
} | psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --file -
echo "the role kasir_service has its rights, and kasir logs in"
