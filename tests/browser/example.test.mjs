// docs/examples/tenant.ts, with the types made from the OpenAPI document: it compiles, and a bill is paid by it.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

import { API_KEY, KASIR, MODULES, person } from './env.mjs';
import { simulator } from './house.mjs';

const DOCS = new URL('../../docs/', import.meta.url);
const STRICT = ['--strict', '--target', 'es2022', '--lib', 'es2023,dom', '--module', 'nodenext'];

/** Runs a program of an npm package. */
function run(script, ...args) {
  const path = join(MODULES, 'node_modules', script);
  execFileSync(process.execPath, [path, ...args], { cwd: join(MODULES, 'example'), stdio: 'inherit' });
}

test('the example for front ends pays a bill', { timeout: 300_000 }, async () => {
  const dir = join(MODULES, 'example');
  mkdirSync(dir, { recursive: true });
  copyFileSync(new URL('examples/tenant.ts', DOCS), join(dir, 'tenant.ts'));
  const document = new URL('openapi.json', DOCS).pathname;
  run('openapi-typescript/bin/cli.js', document, '-o', join(dir, 'kasir.d.ts'));
  run('typescript/bin/tsc', ...STRICT, 'tenant.ts');

  const { payNewestBill } = await import(pathToFileURL(join(dir, 'tenant.js')));
  const { email, password } = person('agus@kost.test');
  const shown = [];
  const payment = await payNewestBill({ url: KASIR, apiKey: API_KEY }, { email, password }, 'bni', (line) => {
    shown.push(line);
    const [, invoice] = line.match(/^Invoice (.+)/) ?? [];
    if (invoice) setTimeout(() => simulator(`transactions/${invoice}/settle`), 3000);
  });
  assert.equal(payment.status, 'paid');
  assert.match(shown[2], /^Transfer to bni \d+$/);
  await assert.rejects(
    payNewestBill({ url: KASIR, apiKey: 'wrong' }, { email, password: 'wrong' }, 'bni', () => {}),
    { message: 'The e-mail address or the password is missing or wrong (/problems/unauthenticated)' },
  );
});
