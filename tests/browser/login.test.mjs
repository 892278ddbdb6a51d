// Coming in and going out, with scripts and without.

import assert from 'node:assert/strict';

import { OWNER, TENANT, person } from './env.mjs';
import { giveLogin, logIn, look, sees, story } from './lib.mjs';

// The browser tells of each page that came with a failure.
const told = [/status of 4\d\d/];

for (const script of [true, false]) {
  const how = script ? 'with scripts' : 'without scripts';

  story(`a wrong password is told, and the right one opens the house, ${how}`, async ({ page }) => {
    await page.goto('/admin/login');
    await giveLogin(page, { email: OWNER, password: 'not hers' });
    await sees(page.getByRole('alert'));
    assert.match(page.url(), /\/admin\/login/);
    assert.equal(await page.getByLabel('Password').inputValue(), '', 'a password is not sent back');

    await giveLogin(page, person(OWNER));
    await sees(page.getByRole('heading', { level: 1, name: 'Overview' }));
    assert.match(page.url(), /\/admin\/?$/);
  }, { script, told });

  story(`who logs out is out, ${how}`, async ({ page }) => {
    await logIn(page, OWNER);
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.waitForURL(/\/admin\/login/);
    await page.goto('/admin/jobs');
    assert.match(page.url(), /\/admin\/login/);
  }, { script });
}

story('a tenant has no business here', async ({ page }) => {
  await page.goto('/admin/login');
  await giveLogin(page, person(TENANT));
  await sees(page.getByRole('alert'));
  assert.match(page.url(), /\/admin\/login/);
}, { told });

story('the log-in can be read and used by everybody', async ({ page }) => {
  await page.goto('/admin/login');
  await look(page, 'login');
});
