// Statements of the gateway, handed in by a person.

import assert from 'node:assert/strict';

import { OWNER } from './env.mjs';
import { paid, state, value } from './house.mjs';
import { logIn, sees, story } from './lib.mjs';

const HEADER = 'Order ID,Transaction status,Amount,Transaction Time\n';

async function handIn(page, { name, text, dry = false }) {
  await page.goto('/admin/statements');
  await page.getByLabel('CSV files').setInputFiles({ name, mimeType: 'text/csv', buffer: Buffer.from(text) });
  await page.getByLabel('Dry run').setChecked(dry);
  await page.getByLabel('Reason').fill('the statement of November');
  await page.getByRole('button', { name: 'Import and compare' }).click();
}

for (const script of [true, false]) {
  const shop = script ? 'SHOP-1' : 'SHOP-2';
  const how = script ? 'with scripts' : 'without scripts';

  story(`a statement is tried, imported, and what differs becomes a finding, ${how}`, async ({ page }) => {
    const { invoice } = await paid();
    const ours = value(`SELECT amount FROM payments WHERE invoice = '${invoice}'`);
    const lines = [`${invoice},settlement,Rp ${ours},2026-11-24 00:10:00`, `${shop},settlement,Rp 70.000,2026-11-24 00:20:00`];
    const file = { name: `${shop}.csv`, text: `${HEADER}${lines.join('\n')}\n` };
    const findings = () => value(`SELECT count(*) FROM findings WHERE detail LIKE '%${shop}%' OR cause LIKE '%${shop}%'`);

    await logIn(page, OWNER);
    await handIn(page, { ...file, dry: true });
    await sees(page.getByText('A dry run: nothing was written.'));
    await sees(page.getByRole('row').filter({ hasText: shop }));
    assert.equal(findings(), 0);

    await handIn(page, file);
    await sees(page.getByText('The statement was imported.'));
    const differences = page.getByRole('table', { name: 'Differences' });
    await sees(differences.getByRole('row').filter({ hasText: shop }));
    assert.equal(await differences.getByText(invoice).count(), 0, 'what agrees is no difference');
    assert.equal(state(invoice), 'paid');

    await page.getByRole('link', { name: 'To the findings' }).click();
    await sees(page.getByText(shop));
    await page.goto('/admin/statements');
    await sees(page.getByRole('cell', { name: file.name }));
  }, { script });
}

story('a statement that cannot be read is told with its line, and imports nothing', async ({ page }) => {
  await logIn(page, OWNER);
  await handIn(page, { name: 'broken.csv', text: `${HEADER}SHOP-9,settlement,much,2026-11-24 00:10:00\n` });
  await sees(page.getByRole('alert').filter({ hasText: 'line 2: Amount' }));
  assert.equal(value("SELECT count(*) FROM statements WHERE name = 'broken.csv'"), 0);
}, { told: [/status of 422/] });
