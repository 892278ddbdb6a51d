// Every page, on a desktop, on a telephone and in the dark.

import assert from 'node:assert/strict';

import { OWNER } from './env.mjs';
import { logIn, look, sees, story } from './lib.mjs';
import { everyPage } from './pages.mjs';

story('every page can be read and used by everybody, and hides what is secret', async ({ page }) => {
  await logIn(page, OWNER);
  const faults = [];
  for (const [name, path] of await everyPage(page)) {
    const answer = await page.goto(path);
    assert.equal(answer.status(), 200, path);
    // One that has a fault keeps no other from being looked at.
    await look(page, name).catch((fault) => faults.push(fault.message));
  }
  assert.equal(faults.join('\n\n'), '');
});

story('what is not there is told on a page', async ({ page }) => {
  await logIn(page, OWNER);
  const answer = await page.goto('/admin/jobs/999999');
  assert.equal(answer.status(), 404);
  await look(page, 'not-there');
}, { told: [/status of 404/] });

story('the language is changed by a link, and stays', async ({ page }) => {
  await logIn(page, OWNER);
  await page.goto('/admin/rooms');
  await page.getByRole('link', { name: 'Bahasa Indonesia' }).click();
  await sees(page.getByRole('heading', { level: 1, name: 'Kamar' }));
  await page.goto('/admin/findings');
  await sees(page.getByRole('heading', { level: 1, name: 'Temuan' }));
  assert.equal(await page.locator('html').getAttribute('lang'), 'id');
});
