// An owner and the money.

import assert from 'node:assert/strict';

import { OWNER } from './env.mjs';
import { lost, pending, simulator, state } from './house.mjs';
import { comesToBe, logIn, orders, sees, standing, story } from './lib.mjs';

story('a payment whose notification was lost is found, asked about, and tells what happened', async ({ page }) => {
  const { invoice, bill } = await lost();
  await logIn(page, OWNER);
  await page.getByRole('link', { name: 'Payments', exact: true }).click();
  await page.getByLabel('Invoice or transaction id').fill(invoice);
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('link', { name: invoice }).click();
  await sees(standing(page, 'pending'));

  await orders(page, 'Sync', { reason: 'Budi showed his receipt' });
  await sees(page.getByText('The gateway is being asked.'));
  await sees(standing(page, 'paid'));
  assert.equal(state(invoice), 'paid');

  const timeline = page.getByRole('list').filter({ hasText: 'State changed' }).last();
  for (const what of [/Operator/, /Gateway asked/, /State changed/, /Posted/, /sync_payment: done/]) {
    await sees(timeline.getByRole('listitem').filter({ hasText: what }));
  }
  const order = timeline.getByRole('listitem').filter({ hasText: /Operator/ });
  await order.getByText('Details').click();
  await sees(order.getByText('Budi showed his receipt'));

  await page.goto(`/admin/bills/${bill}`);
  await sees(page.getByRole('listitem').filter({ hasText: invoice }));
});

story('a payment that is open on the page turns paid when its payer pays', async ({ page }) => {
  const { invoice } = await pending();
  await logIn(page, OWNER);
  await page.goto(`/admin/payments/${invoice}`);
  const first = page.getByRole('listitem').filter({ hasText: 'Details' }).first();
  await first.getByText('Details').click();
  await comesToBe(page, 'paid', () => simulator(`transactions/${invoice}/settle`));
  await sees(page.getByRole('listitem').filter({ hasText: /Posted/ }).last());
  assert.ok(await first.locator('details').evaluate((details) => details.open), 'what was opened stays open');
});
