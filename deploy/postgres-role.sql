-- The role under which Kasir serves, with no more than it needs on PostgreSQL. Run it as the owner of the database, who
-- may make roles, after each `kasir migrate`:
--
--     psql "$OWNER_URL" --set ON_ERROR_STOP=1 --file deploy/postgres-role.sql
--
-- Then make the log-in once, and give its address as DATABASE_URL to `kasir api`, `kasir worker` and `kasir scheduler`:
--
--     CREATE ROLE kasir LOGIN PASSWORD '…' IN ROLE kasir_service;
--
-- `kasir migrate` and `kasir seed` keep the owner's address. `kasir serve` migrates too, and is not for this role.

DO $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'kasir_service') THEN
        CREATE ROLE kasir_service NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS;
    END IF;
    -- Nobody but who is named here comes in, and nobody makes tables.
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO kasir_service', current_database());
END
$$;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO kasir_service;

-- What an earlier version needed and this one does not.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM kasir_service;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM PUBLIC;

GRANT SELECT ON ALL TABLES IN SCHEMA public TO kasir_service;

-- Rows of the journal, of the audit and of a payment's history are written once.
GRANT INSERT ON
    api_keys, audit, bills, dashboard_sessions, data_keys, findings, gateway_calls, idempotency_keys, job_attempts, jobs,
    notifications, paused_kinds, payment_history, payment_methods, payment_tries, payments, postings, processes,
    reconciliation_items, reconciliations, recovery_codes, refresh_tokens, refunds, reminders, rooms,
    second_factors, statement_lines, statements, tenancies, users
    TO kasir_service;

GRANT UPDATE ON
    api_keys, audit_head, bills, dashboard_sessions, findings, idempotency_keys, jobs, notifications,
    payment_methods, payments, processes, reconciliation_items, reconciliations, refresh_tokens, refunds, reminders,
    rooms, second_factors, statement_lines, statements, tenancies, users, watermarks
    TO kasir_service;

-- What tells of a person is sealed anew, or forgotten; that there was a call or an attempt stays.
GRANT UPDATE (answer) ON gateway_calls TO kasir_service;
GRANT UPDATE (note) ON job_attempts TO kasir_service;

-- What is not about money is forgotten when it is old.
GRANT DELETE ON
    dashboard_sessions, data_keys, gateway_calls, idempotency_keys, job_attempts, jobs, notifications, paused_kinds,
    processes, reconciliation_items, recovery_codes, refresh_tokens, second_factors
    TO kasir_service;
