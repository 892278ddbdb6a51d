// Forms that no page of the session has sent change nothing.

import assert from 'node:assert/strict';

import { KASIR, OWNER, SIMULATOR, VIEWER } from './env.mjs';
import { changes } from './house.mjs';
import { logIn, sees, story } from './lib.mjs';
import { everyForm, everyPage, formsOf, send } from './pages.mjs';

const NAMES_OTHERS = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
];

async function tokenOf(page) {
  const [form] = await formsOf(page);
  return form.fields.csrf;
}

story('no form is taken without its token, with another one, or from elsewhere', async ({ context, page }) => {
  await logIn(page, VIEWER);
  const foreign = await tokenOf(page);
  await logIn(page, OWNER);
  const forms = await everyForm(page, await everyPage(page));
  assert.ok(forms.length > 10, `there are forms: ${forms.map(({ to }) => to)}`);

  const before = changes();
  for (const form of forms) {
    for (const csrf of [null, '', 'x', foreign]) {
      assert.equal(await send(context, form, { csrf }), 403, `${form.to} with the token ${csrf}`);
    }
    for (const headers of NAMES_OTHERS) {
      assert.equal(await send(context, form, {}, headers), 403, `${form.to} with ${JSON.stringify(headers)}`);
    }
    assert.equal(changes(), before, form.to);
  }
  await page.goto('/admin/jobs');
  assert.match(page.url(), /\/admin\/jobs$/, 'she is still logged in');
});

story('another site on this machine cannot send a form, even with the token', async ({ page }) => {
  await logIn(page, OWNER);
  const csrf = await tokenOf(page);
  const before = changes();
  await page.goto(SIMULATOR);
  await page.setContent(`
    <form method="post" action="${KASIR}/admin/rooms"><input name="csrf" value="${csrf}">
    <input name="code" value="Z9"><input name="reason" value="evil"><button>Win</button></form>`);
  await page.getByRole('button', { name: 'Win' }).click();
  await sees(page.getByText('Nothing was changed.'));
  assert.equal(changes(), before);
  // The simulator has no icon.
}, { told: [/status of 403/, /favicon\.ico/] });
