-- Payments are looked for by the day on which they were made.
CREATE INDEX payments_created ON payments (created_at);
