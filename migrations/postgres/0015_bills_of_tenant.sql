-- A tenant's bills, the newest month first. The index that keeps a month from being billed twice is of the rent alone.

CREATE INDEX bills_of_tenant ON bills (tenant_id, year, month) WHERE voided_at IS NULL;
