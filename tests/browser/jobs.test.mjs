// An operator and the jobs.

import assert from 'node:assert/strict';

import { OWNER } from './env.mjs';
import { charged, deadJob, job, pending, rest, sql, until, value } from './house.mjs';
import { comesToBe, logIn, orders, sees, standing, story } from './lib.mjs';

const SYNC = 'Sync payment';

for (const script of [true, false]) {
  const how = script ? 'with scripts' : 'without scripts';

  story(`a dead job is found by its invoice, read, and done again, ${how}`, async ({ page }) => {
    const dead = await deadJob();
    await logIn(page, OWNER);
    await page.getByRole('link', { name: 'Jobs', exact: true }).click();
    await page.getByLabel('Search for').fill(dead.invoice);
    await page.getByLabel('State').selectOption('dead');
    await page.getByRole('button', { name: 'Search' }).click();
    await page.getByRole('link', { name: `#${dead.id} ${SYNC}` }).click();

    await sees(page.getByRole('heading', { level: 1, name: `Job #${dead.id}` }));
    await sees(page.getByText('status_code 500'));
    await sees(page.getByText('If it were done now:'));
    const reason = `the gateway answers again, ${how}`;
    await orders(page, 'Retry', { reason });
    await sees(page.getByText('The job will be done again.'));
    await until('the job is done', () => value(`SELECT state FROM jobs WHERE id = ${dead.id}`) === 'done');
    if (!script) await page.reload();
    await sees(standing(page, 'done'));
    assert.equal(await page.locator('summary', { hasText: 'Retry' }).count(), 0, 'what is done is not done again');

    await page.goto('/admin/audit');
    await sees(page.getByText(reason));
  }, { script });
}

story('a page that is open turns by itself when the job is done again elsewhere', async ({ context, page }) => {
  const dead = await deadJob();
  await logIn(page, OWNER);
  await page.goto(`/admin/jobs/${dead.id}`);
  await sees(standing(page, 'dead'));
  await comesToBe(page, 'done', async () => {
    const other = await context.newPage();
    await other.goto(`/admin/jobs/${dead.id}`);
    await orders(other, 'Retry', { reason: 'on another screen' });
  });
});

story('a reason must be given', async ({ page, context }) => {
  const dead = await deadJob();
  await logIn(page, OWNER);
  await page.goto(`/admin/jobs/${dead.id}`);
  await orders(page, 'Retry', { reason: '' });
  assert.ok((await page.locator('input:invalid').count()) > 0, 'the browser asks for it');
  const csrf = await page.locator('input[name=csrf]').first().inputValue();
  const answer = await context.request.post(`/admin/jobs/${dead.id}/retry`, { form: { csrf, reason: ' ' } });
  assert.equal(answer.status(), 422, 'and so does the service');
  assert.equal(value(`SELECT state FROM jobs WHERE id = ${dead.id}`), 'dead');
});

story('a kind that is paused waits, and goes on when it is resumed', async ({ page }) => {
  const { invoice } = await pending();
  await logIn(page, OWNER);
  try {
    await page.goto('/admin/queues');
    const choose = (action) => action.getByLabel('Kind').selectOption({ label: SYNC });
    await orders(page, 'Pause a kind', { reason: 'maintenance at the bank', fill: choose });
    await sees(page.getByText('This kind of job is paused.'));
    await sees(page.getByRole('row', { name: SYNC }).getByText('maintenance at the bank'));

    await rest('POST', `/api/admin/payments/${invoice}/sync`, OWNER, { reason: 'to have one wait' });
    // A payment that is made after it is charged before it.
    await charged();
    const waiting = job('sync_payment', invoice);
    assert.equal(waiting.state, 'ready');
    await page.goto(`/admin/jobs/${waiting.id}`);
    await sees(standing(page, 'ready'));

    await page.goto('/admin/queues');
    await orders(page, 'Resume a kind', { reason: 'the bank is back', fill: choose });
    await sees(page.getByText('This kind of job goes on.'));
    await until('the job is done', () => job('sync_payment', invoice).state === 'done');
  } finally {
    sql('DELETE FROM paused_kinds');
  }
});
