// What the dashboard tells the browser to refuse.

import assert from 'node:assert/strict';

import { KASIR, OWNER } from './env.mjs';
import { logIn, story } from './lib.mjs';

/** The directives of the policy, by name. */
function policyOf(headers) {
  const directives = headers['content-security-policy'].split(';').map((directive) => directive.trim().split(/\s+/));
  return Object.fromEntries(directives.map(([name, ...sources]) => [name, sources.join(' ')]));
}

function isGuarded(headers) {
  const policy = policyOf(headers);
  assert.match(policy['default-src'], /^'(none|self)'$/);
  assert.equal(policy['frame-ancestors'], "'none'", 'nobody frames it');
  assert.equal(policy['form-action'], "'self'");
  assert.match(policy['base-uri'], /^'(none|self)'$/);
  for (const [name, sources] of Object.entries(policy)) {
    assert.match(sources, /^('none'|('self'|data:)( ('self'|data:))*)$/, `${name} names nobody else, and nothing unsafe`);
  }
  assert.doesNotMatch(policy['script-src'] ?? '', /data:/);
  assert.equal(headers['x-content-type-options'], 'nosniff');
  assert.match(headers['cache-control'], /\bno-store\b/, 'a page of the house is not kept');
}

story('every page of the dashboard is guarded by its headers', async ({ page }) => {
  const before = await page.goto('/admin/login');
  isGuarded(before.headers());
  await logIn(page, OWNER);
  for (const path of ['/admin', '/admin/jobs', '/admin/payments', '/admin/people']) {
    const answer = await page.goto(path);
    assert.equal(answer.status(), 200, path);
    isGuarded(answer.headers());
  }
});

story('the cookie of a session is for this site and out of reach of scripts', async ({ context, page }) => {
  await logIn(page, OWNER);
  const cookies = await context.cookies(`${KASIR}/admin`);
  const session = cookies.filter(({ name }) => name !== 'kasir_lang');
  assert.equal(session.length, 1, 'one cookie is the session');
  assert.equal(session[0].httpOnly, true);
  assert.match(session[0].sameSite, /^(Strict|Lax)$/);
  const known = await page.evaluate(() => document.cookie);
  assert.ok(!known.includes(session[0].value), 'a script sees it');
});

story('who has no session is asked to log in, whatever he asks for', async ({ context }) => {
  for (const path of ['/admin', '/admin/jobs', '/admin/people', '/admin/statements']) {
    const answer = await context.request.get(path, { maxRedirects: 0 });
    assert.equal(answer.status(), 303, path);
    assert.match(answer.headers().location, /^\/admin\/login/);
  }
});
