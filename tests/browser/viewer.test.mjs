// Somebody who may look, and change nothing.

import assert from 'node:assert/strict';

import { OWNER, VIEWER } from './env.mjs';
import { changes } from './house.mjs';
import { logIn, sees, story } from './lib.mjs';
import { everyForm, everyPage, send } from './pages.mjs';

/** What a viewer may do for himself. */
const HIS_OWN = ['/admin/logout', '/admin/people/password'];

story('a viewer sees every page, is offered nothing, and is refused what he sends all the same', async ({ context, page }) => {
  await logIn(page, OWNER);
  const pages = await everyPage(page);
  const forms = await everyForm(page, pages);
  const refused = forms.filter(({ to }) => !HIS_OWN.includes(to));
  assert.ok(refused.length > 10, `an owner is offered much: ${refused.map(({ to }) => to)}`);

  await logIn(page, VIEWER);
  for (const [name, path] of pages) {
    const answer = await page.goto(path);
    assert.equal(answer.status(), 200, name);
    await sees(page.getByText('You may look, and change nothing.'));
  }
  const his = await everyForm(page, pages);
  assert.deepEqual(his.map(({ to }) => to).sort(), HIS_OWN);

  const [{ fields: { csrf } }] = his;
  const before = changes();
  for (const form of refused) {
    assert.equal(await send(context, form, { csrf }), 403, form.to);
  }
  assert.equal(changes(), before);
});
