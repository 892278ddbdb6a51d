-- What the lists and the overview of the dashboard look things up by, however much there is.

CREATE INDEX payments_by_state ON payments (state, id);
CREATE INDEX payments_by_method ON payments (method, id);

CREATE INDEX notifications_waiting ON notifications (id) WHERE processed_at IS NULL;

CREATE INDEX bills_of_month ON bills (year, month) WHERE voided_at IS NULL;
CREATE INDEX bills_overdue ON bills (due_at) WHERE status <> 'paid' AND voided_at IS NULL;

-- The looks at the gateway that told how a transaction stands, or that there is none.
CREATE INDEX gateway_calls_answered ON gateway_calls (at) WHERE method = 'GET' AND http IN (200, 404);
CREATE INDEX findings_found ON findings (kind, found_at);
CREATE INDEX payment_history_found_paid ON payment_history (at) WHERE source = 'poll' AND to_state = 'paid';
