// The house from outside the browser: its REST service, the simulator's doors, and its database.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';

import { API_KEY, DATABASE, KASIR, OWNER, SIMULATOR, TENANT, person } from './env.mjs';

const WAIT_MS = 30_000;
const JSON_BODY = { 'content-type': 'application/json' };

/** Asks until the answer is something; what is waited for is told when it never comes. */
export async function until(what, ask) {
  const begun = Date.now();
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    assert.ok(Date.now() - begun < WAIT_MS, `within ${WAIT_MS / 1000} s it did not come to this: ${what}`);
    await pause(100);
  }
}

async function answered(method, url, request) {
  const answer = await fetch(url, { method, ...request });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${url}: ${answer.status} ${text}`);
  return text === '' ? null : JSON.parse(text);
}

/** A call of the REST service by somebody of the house. */
export function rest(method, path, who, body) {
  const { email, password } = person(who);
  const headers = { email, password, 'x-api-key': API_KEY, ...JSON_BODY };
  return answered(method, `${KASIR}${path}`, { headers, body: body && JSON.stringify(body) });
}

/** One of the simulator's own doors: what a payer or a bank does. */
export function simulator(path, body = {}) {
  return answered('POST', `${SIMULATOR}/sim/${path}`, { headers: JSON_BODY, body: JSON.stringify(body) });
}

/** Has the gateway misbehave while something is done, and behave again, however that ends. */
export async function whileGateway(faults, work) {
  await simulator('faults', faults);
  try {
    return await work();
  } finally {
    await simulator('faults/reset');
  }
}

/** Rows of the database, as objects. */
export function sql(text) {
  const options = { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] };
  const rows = execFileSync('sqlite3', ['-json', '-cmd', '.timeout 10000', DATABASE, text], options);
  return rows.trim() === '' ? [] : JSON.parse(rows);
}

/** The one value of a query. */
export function value(text) {
  const [row] = sql(text);
  return row && Object.values(row)[0];
}

let bills = 0;

/** A new bill of Budi's, besides his rent. */
export async function bill() {
  const tenants = await rest('GET', '/api/admin/tenants', OWNER);
  const tenantId = tenants.find((tenant) => tenant.email === TENANT).id;
  bills += 1;
  const wanted = { tenantId, title: `Key ${process.pid}-${bills}`, amount: 50_000 + bills };
  return rest('POST', '/api/admin/bills', OWNER, wanted);
}

/** A payment of a new bill by BCA, as soon as the gateway has taken it. */
export async function charged() {
  const { id } = await bill();
  const { invoice } = await rest('POST', `/api/bills/${id}/pay`, TENANT, { payment: 'bca' });
  await until(`${invoice} has its account number`, () => state(invoice) === 'pending');
  return { invoice, bill: id };
}

/** The same when nothing more happens to it: it waits for its payer. */
export async function pending() {
  const made = await charged();
  const { invoice } = made;
  // The gateway tells of the new transaction too; what it sets going would look once more at a bad moment.
  await until(`what was told of ${invoice} is dealt with`, () => isTold(invoice) && !isBusy(invoice));
  return made;
}

function isTold(invoice) {
  const processed = 'order_id = p.invoice AND processed_at IS NOT NULL';
  return value(`SELECT count(*) FROM notifications n, payments p WHERE p.invoice = '${invoice}' AND ${processed}`) > 0;
}

function isBusy(invoice) {
  return value(`
    SELECT count(*) FROM jobs j JOIN payments p ON p.id = j.payment_id
    WHERE p.invoice = '${invoice}' AND j.state IN ('ready', 'running')`) > 0;
}

/** How a payment stands in the books. */
export function state(invoice) {
  return value(`SELECT state FROM payments WHERE invoice = '${invoice}'`);
}

/** The newest job of a kind about a payment. */
export function job(kind, invoice) {
  const [found] = sql(`
    SELECT j.* FROM jobs j JOIN payments p ON p.id = j.payment_id
    WHERE p.invoice = '${invoice}' AND j.kind = '${kind}' ORDER BY j.id DESC LIMIT 1`);
  return found;
}

/**
 * A job that died: the gateway could not be asked about a payment. Work on money is tried 500 times, which takes days, so
 * its limit is lowered in the database, as no operator would; then it dies by itself, of its own error.
 */
export async function deadJob() {
  const { invoice } = await pending();
  return whileGateway({ api: { fail_next: { kind: '500', on: 'status' } } }, async () => {
    await rest('POST', `/api/admin/payments/${invoice}/sync`, OWNER, { reason: 'to have it die' });
    const { id } = await until('the job is there', () => job('sync_payment', invoice));
    sql(`UPDATE jobs SET max_attempts = 1 WHERE id = ${id}`);
    await until('the job is dead', () => value(`SELECT state FROM jobs WHERE id = ${id}`) === 'dead');
    return { id, invoice };
  });
}

/** A payment that was made while the gateway's notification was lost: our books do not know of it. */
export async function lost() {
  const made = await pending();
  await whileGateway({ notifications: { drop_all: true } }, () =>
    simulator(`transactions/${made.invoice}/settle`),
  );
  assert.equal(state(made.invoice), 'pending');
  return made;
}

/** A payment that was made, and of which the gateway told. */
export async function paid() {
  const made = await pending();
  await simulator(`transactions/${made.invoice}/settle`);
  await until(`${made.invoice} is paid`, () => state(made.invoice) === 'paid');
  return made;
}

/** A comparison of the books with the gateway's. */
export async function reconciliation() {
  const { id } = await rest('POST', '/api/admin/reconciliations', OWNER, { reason: 'to have one' });
  const stands = () => rest('GET', `/api/admin/reconciliations/${id}`, OWNER);
  await until('the books are compared', async () => (await stands()).state === 'done');
  return id;
}

/** What only a person of the house changes, as text: two of them are equal when nobody changed anything. */
export function changes() {
  return JSON.stringify(sql(`
    SELECT (SELECT count(*) FROM audit) AS deeds, (SELECT count(*) FROM statements) AS statements,
      (SELECT count(*) FROM dashboard_sessions WHERE ended_at IS NULL) AS sessions,
      (SELECT group_concat(password_hash) FROM users) AS passwords`));
}
