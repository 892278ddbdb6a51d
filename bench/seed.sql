-- The rows of the benchmark: its README says which. psql variables: users, payments, bills, active.
-- The administrator was made by the program itself; all have that password.
\set QUIET on
SET client_min_messages = warning;
SET synchronous_commit = off;
SELECT (extract(epoch FROM now()) * 1000)::bigint AS now \gset

INSERT INTO rooms (id, code, price, created_at) SELECT i, 'R' || i, 500000, :now FROM generate_series(1, :users) i;
-- The tenants have the ids from 1 on, and the administrator the one after them.
UPDATE users SET id = :users + 1 WHERE role = 'admin';
INSERT INTO users (id, email, name, role, password_hash, created_at)
  SELECT i, 'user' || i || '@kost.test', 'User ' || i, 'tenant', a.password_hash, :now
  FROM generate_series(1, :users) i, users a WHERE a.role = 'admin';
INSERT INTO tenancies (tenant_id, room_id, start_date) SELECT i, i, '2025-01-01' FROM generate_series(1, :users) i;

-- A tenant has one bill for a month, so that the bills go on month by month.
INSERT INTO bills (id, tenant_id, room_id, year, month, amount, status, created_at, updated_at)
  SELECT i, (i - 1) % :users + 1, (i - 1) % :users + 1, 2000 + (i - 1) / :users / 12, (i - 1) / :users % 12 + 1,
         500000 + i % 50 * 1000, 'pending', :now, :now
  FROM generate_series(1, :payments) i;
INSERT INTO bills (id, tenant_id, room_id, year, month, amount, created_at, updated_at)
  SELECT :payments + i, (i - 1) % :active + 1, (i - 1) % :active + 1, 2100 + (i - 1) / :active / 12,
         (i - 1) / :active % 12 + 1, 500000 + (i + :payments) % 50 * 1000, :now, :now
  FROM generate_series(1, :bills) i;

-- A payment that was wanted, asked for and accepted, with its history and its posting.
INSERT INTO payments (id, invoice, bill_id, tenant_id, method, amount, state, transaction_id, instruction, created_at,
                      updated_at, asked_at, expires_at, checked_at, next_check_at, version)
  SELECT i, 'INV-' || lpad(i::text, 8, '0'), i, (i - 1) % :users + 1, 'bca', 500000 + i % 50 * 1000, 'pending',
         'tx-INV-' || lpad(i::text, 8, '0'),
         '{"kind":"virtual_account","bank":"bca","number":"812785' || lpad(i::text, 11, '0') || '"}',
         :now, :now, :now, :now + 86400000, :now, :now + 3600000, 3
  FROM generate_series(1, :payments) i;
INSERT INTO payment_history (payment_id, version, from_state, to_state, event, source, detail, at)
  SELECT p.id, s.version, s.from_state, s.to_state, s.event, s.source, '', :now
  FROM payments p, (VALUES (1, NULL, 'created', 'created', 'tenant'), (2, 'created', 'asked', 'asked', 'charge'),
                           (3, 'asked', 'pending', 'accepted', 'charge'))
       AS s (version, from_state, to_state, event, source);
INSERT INTO postings (kind, debit, credit, amount, payment_id, cause, at)
  SELECT 'pending', 'pending', 'tenants', amount, id, invoice || ':3:tenants-pending', :now FROM payments;
UPDATE watermarks SET value = (SELECT max(id) FROM payment_history) WHERE name = 'missed_notifications';

SELECT setval(pg_get_serial_sequence('users', 'id'), :users + 1), setval(pg_get_serial_sequence('rooms', 'id'), :users),
       setval(pg_get_serial_sequence('bills', 'id'), :payments + :bills),
       setval(pg_get_serial_sequence('payments', 'id'), :payments) \g /dev/null
-- Not the tables that are empty yet: plans that are made for those would be kept while they grow.
ANALYZE rooms, users, tenancies, bills, payments, payment_history, postings;
