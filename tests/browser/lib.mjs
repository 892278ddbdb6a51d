// A person with Chromium: what is opened, how a page is looked at, and what must hold on every page.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, test } from 'node:test';

import { KASIR, MODULES, SCREENS, SECRETS, person } from './env.mjs';

const require = createRequire(`${MODULES}/`);
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

/** A story takes no longer; then it hangs. */
const STORY_MS = 300_000;
/** What is waited for on a page takes no longer. */
const WAIT_MS = 15_000;
const DESKTOP = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844 };

// Root has no sandbox to offer, and a machine that tests has no graphics card. Chromium asks its makers for nothing, and
// a name that is no address of this machine leads nowhere.
const ARGS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-quic',
  '--no-first-run',
  '--no-proxy-server',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

let browser;
after(() => browser?.close());

async function open() {
  browser ??= await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS });
  return browser;
}

/**
 * A test in a browser of its own. It fails also when a page said anything on the console, broke its own content security
 * policy, or asked for anything outside this machine. `script: false` turns scripts off; `told` is what the console may say.
 */
export function story(name, tell, { script = true, told = [] } = {}) {
  test(name, { timeout: STORY_MS }, async () => {
    const context = await (await open()).newContext({ javaScriptEnabled: script, viewport: DESKTOP, baseURL: KASIR });
    try {
      const seen = await watch(context, told);
      await inEnglish(context);
      await tell({ context, page: await context.newPage() });
      assert.deepEqual(seen, [], 'what the browser had to say');
    } catch (fault) {
      await picture(context, name);
      throw fault;
    } finally {
      await context.close();
    }
  });
}

/** What was on the screen when a story failed. */
async function picture(context, name) {
  const title = name.replace(/[^a-z]+/gi, '-').slice(0, 60);
  for (const [number, page] of context.pages().entries()) {
    // The page may be what is broken; the story's own fault is what is told.
    await page.screenshot({ path: join(SCREENS, `failed-${title}-${number}.png`) }).catch(() => {});
  }
}

async function inEnglish(context) {
  await context.addCookies([{ name: 'kasir_lang', value: 'en', url: KASIR }]);
}

/** Collects what must not happen in any page of the context. */
async function watch(context, told) {
  context.setDefaultTimeout(WAIT_MS);
  const seen = [];
  const see = (text) => told.some((pattern) => pattern.test(text)) || seen.push(text);
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol !== 'data:' && url.hostname !== '127.0.0.1') see(`a request to ${url}`);
  });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) see(`console: ${message.text()} (${message.location().url})`);
  });
  context.on('weberror', (error) => see(`error: ${error.error()}`));
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`content security policy: ${event.violatedDirective} forbids ${event.blockedURI}`);
    });
  });
  return seen;
}

/** Logs in on the page, as a person does. */
export async function logIn(page, who) {
  await page.goto('/admin/login');
  await giveLogin(page, person(who));
  await page.waitForURL(/\/admin\/?$/);
}

/** Fills in the form of the log-in, and sends it. */
export async function giveLogin(page, { email, password }) {
  await page.getByLabel('E-mail address').fill(email);
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

/** Waits until it is to be seen. */
export function sees(locator) {
  return locator.first().waitFor({ state: 'visible' });
}

/**
 * Does what the page offers under a name, for a reason. Beside several things of the same name, `object` is the one.
 */
export async function orders(page, name, { reason, object = '', fill = async () => {} }) {
  const title = `${name} ${object}`.trim();
  const action = page.locator('details.action').filter({ has: page.locator('summary', { hasText: title }) }).first();
  await action.locator('summary').click();
  await fill(action);
  await action.getByLabel('Reason').fill(reason);
  await action.getByRole('button', { name, exact: true }).click();
}

/** Where the page says how the thing that it shows stands, when that is this. */
export function standing(page, word) {
  return page.locator('dl').getByRole('status').filter({ hasText: word });
}

/** Does something, and waits for the page to say by itself how the thing that it shows stands then. */
export async function comesToBe(page, word, work) {
  await page.evaluate(() => {
    globalThis.isStillHere = true;
  });
  await work();
  await sees(standing(page, word));
  assert.ok(await page.evaluate(() => globalThis.isStillHere), 'the page was loaded anew');
}

/**
 * Looks at the page as it stands: on a desktop, on a telephone and in the dark. A picture of each is kept, and nothing may
 * be hard to read or to use, wider than the telephone, or secret.
 */
export async function look(page, name) {
  const faults = [...(await secrets(page)), ...(await shown(page, name, 'desktop')), ...(await wide(page))];
  await page.emulateMedia({ colorScheme: 'dark' });
  faults.push(...(await shown(page, name, 'dark')));
  await page.emulateMedia({ colorScheme: 'light' });
  await page.setViewportSize(PHONE);
  faults.push(...(await shown(page, name, 'phone')), ...(await wide(page)));
  await page.setViewportSize(DESKTOP);
  assert.equal(faults.join('\n'), '', name);
}

/** What is grave of what axe finds. */
async function shown(page, name, as) {
  await page.screenshot({ path: join(SCREENS, `${name}-${as}.png`), fullPage: true, animations: 'disabled' });
  // The console of the browser may do what the policy forbids to the page.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  const grave = violations.filter(({ impact }) => ['serious', 'critical'].includes(impact));
  return grave.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${as}: ${id} at ${target.join(' ')}: ${failureSummary.replace(/\s+/g, ' ')}`),
  );
}

/** What sticks out of the page, or of its own box; what scrolls in a box of its own does not. */
function wide(page) {
  return page.evaluate(() => {
    const boxes = [document.documentElement, ...document.querySelectorAll('main, main *')];
    const isBurst = (box) =>
      box.checkVisibility() && box.scrollWidth > box.clientWidth + 1 && box.clientWidth > 1 && getComputedStyle(box).overflowX === 'visible';
    const told = boxes.filter(isBurst).map((box) => `${box.tagName}.${box.className}: ${box.textContent.trim().slice(0, 60)}`);
    return told.map((box) => `with a window of ${innerWidth} the box is too small for what is in it: ${box}`);
  });
}

async function secrets(page) {
  const source = await page.content();
  return SECRETS.filter(([, secret]) => source.includes(secret)).map(([what]) => `it shows ${what}`);
}
