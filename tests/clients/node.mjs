// The gateway's official client for Node against the simulator. Nothing of the client is changed but the base URLs.
// `cargo xtask test --clients` runs it.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';

const { MIDTRANS_SIM_URL: base, MIDTRANS_SERVER_KEY: serverKey, MIDTRANS_CLIENT_KEY: clientKey } = process.env;
const midtrans = createRequire(`${process.env.MIDTRANS_CLIENT_DIR}/`)('midtrans-client');

const core = new midtrans.CoreApi({ isProduction: false, serverKey, clientKey });
core.apiConfig.getCoreApiBaseUrl = () => base;
const snap = new midtrans.Snap({ isProduction: false, serverKey, clientKey });
snap.apiConfig.getSnapApiBaseUrl = () => `${base}/snap/v1`;

const items = [{ id: 'room-7', price: 44000, quantity: 1, name: 'Room 7' }];
let orders = 0;

function order(paymentType, parts = {}) {
  orders += 1;
  const transaction_details = { order_id: `node-${orders}`, gross_amount: 44000 };
  return { payment_type: paymentType, transaction_details, item_details: items, ...parts };
}

const bca = () => order('bank_transfer', { bank_transfer: { bank: 'bca' } });

/** One of the simulator's own doors: what a payer, a bank or a person at the dashboard does. */
async function sim(path, body = {}) {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${base}/sim/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status}`);
  return answer.json();
}

/** The status code is text where it stood in the body, and a number where HTTP itself failed. */
function isRefused(promise, code) {
  return assert.rejects(promise, (error) => {
    assert.equal(error.name, 'MidtransError');
    assert.strictEqual(error.httpStatusCode, code);
    return true;
  });
}

async function cardToken(cardNumber) {
  const card = { card_number: cardNumber, card_exp_month: '12', card_exp_year: '2030', card_cvv: '123' };
  const answer = await core.cardToken({ ...card, client_key: clientKey });
  assert.equal(answer.status_code, '200');
  return answer.token_id;
}

async function byCard(cardNumber, parts = {}) {
  return order('credit_card', { credit_card: { token_id: await cardToken(cardNumber), ...parts } });
}

async function paid(body) {
  const charged = await core.charge(body);
  await sim(`transactions/${charged.transaction_id}/settle`);
  return charged;
}

const heard = [];
const merchant = createServer((request, response) => {
  let text = '';
  request.on('data', (part) => (text += part));
  request.on('end', () => {
    heard.push(JSON.parse(text));
    response.end();
  });
});

before(async () => {
  await new Promise((ready) => merchant.listen(0, '127.0.0.1', ready));
  await sim('notification-url', { url: `http://127.0.0.1:${merchant.address().port}/` });
});

after(async () => {
  await sim('notification-url', { url: null });
  merchant.closeAllConnections?.();
  merchant.close();
});

const methods = [
  ['bca', bca, (a) => a.va_numbers[0].bank === 'bca' && a.va_numbers[0].va_number],
  ['bni', () => order('bank_transfer', { bank_transfer: { bank: 'bni' } }), (a) => a.va_numbers[0].va_number],
  ['bri', () => order('bank_transfer', { bank_transfer: { bank: 'bri' } }), (a) => a.va_numbers[0].va_number],
  ['cimb', () => order('bank_transfer', { bank_transfer: { bank: 'cimb' } }), (a) => a.va_numbers[0].va_number],
  ['permata', () => order('permata'), (a) => a.payment_type === 'bank_transfer' && a.permata_va_number],
  [
    'Mandiri bill',
    () => order('echannel', { echannel: { bill_info1: 'For', bill_info2: 'Room 7' } }),
    (a) => a.biller_code === '70012' && a.bill_key,
  ],
  ['gopay', () => order('gopay'), (a) => a.actions.some((action) => action.name === 'generate-qr-code')],
  ['qris of gopay', () => order('qris', { qris: { acquirer: 'gopay' } }), (a) => a.qr_string && a.actions[0].url],
  [
    'qris of airpay shopee',
    () => order('qris', { qris: { acquirer: 'airpay shopee' } }),
    (a) => a.acquirer === 'airpay shopee' && a.qr_string,
  ],
  ['shopeepay', () => order('shopeepay'), (a) => a.actions[0].name === 'deeplink-redirect'],
  ['dana', () => order('dana'), (a) => /^A1\d{14}.{10}ID$/.test(a.transaction_id) && a.actions[0].url],
  ['ovo', () => order('ovo', { ovo: { payer_phone_number: '081234567890' } }), (a) => !a.actions],
  ['alfamart', () => order('cstore', { cstore: { store: 'alfamart' } }), (a) => a.payment_code],
  [
    'indomaret',
    () => order('cstore', { cstore: { store: 'indomaret' } }),
    (a) => a.payment_code && a.fraud_status === undefined,
  ],
  ['akulaku', () => order('akulaku'), (a) => a.redirect_url],
  ['kredivo', () => order('kredivo'), (a) => a.redirect_url],
];

for (const [name, body, instruction] of methods) {
  test(`${name} is charged and tells how to pay`, async () => {
    const wanted = body();
    const answer = await core.charge(wanted);
    assert.equal(answer.status_code, '201');
    assert.equal(answer.transaction_status, 'pending');
    assert.equal(answer.order_id, wanted.transaction_details.order_id);
    assert.equal(answer.gross_amount, '44000.00');
    assert.match(answer.transaction_time, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
    assert.ok(instruction(answer), JSON.stringify(answer));
    assert.ok(!Object.values(answer).includes(null));
  });
}

test('a card is charged by its token, and 3DS sends the payer to the bank', async () => {
  const captured = await core.charge(await byCard('4811111111111114'));
  assert.deepEqual([captured.status_code, captured.transaction_status, captured.fraud_status], ['200', 'capture', 'accept']);
  assert.equal(captured.masked_card, '481111-1114');
  const pending = await core.charge(await byCard('4811111111111114', { authentication: true }));
  assert.deepEqual([pending.status_code, pending.transaction_status], ['201', 'pending']);
  assert.ok(pending.redirect_url.startsWith(base));
  const proved = await sim(`transactions/${pending.transaction_id}/prove`);
  assert.equal(proved.status, 'capture');
});

test('a card that the bank denies is no error of the call', async () => {
  const denied = await core.charge(await byCard('4911111111111113'));
  assert.deepEqual([denied.status_code, denied.transaction_status, denied.fraud_status], ['202', 'deny', 'accept']);
  assert.equal((await core.transaction.status(denied.order_id)).transaction_status, 'deny');
});

test('a status is found by order id and by transaction id', async () => {
  const charged = await core.charge(bca());
  for (const id of [charged.order_id, charged.transaction_id]) {
    const status = await core.transaction.status(id);
    assert.equal(status.transaction_id, charged.transaction_id);
    assert.equal(status.status_code, '201');
    assert.equal(status.signature_key.length, 128);
  }
});

test('dana is found by its own id and with a header only', async () => {
  const charged = await core.charge(order('dana'));
  await isRefused(core.transaction.status(charged.transaction_id), '404');
  const headers = core.httpClient.http_client.defaults.headers.common;
  headers['transaction-source'] = 'SNAP_API';
  try {
    const status = await core.transaction.status(charged.transaction_id);
    assert.deepEqual([status.status_code, status.transaction_status], ['200', 'PENDING']);
    await isRefused(core.transaction.status(charged.order_id), '404');
  } finally {
    delete headers['transaction-source'];
  }
  assert.equal((await core.transaction.cancel(charged.transaction_id)).transaction_status, 'cancel');
});

test('an unknown transaction is 404, a wrong key 401, a bad body 400', async () => {
  await isRefused(core.transaction.status('nobody'), '404');
  const stranger = new midtrans.CoreApi({ isProduction: false, serverKey: 'SB-Mid-server-stranger', clientKey });
  stranger.apiConfig.getCoreApiBaseUrl = () => base;
  await isRefused(stranger.charge(bca()), 401);
  await isRefused(core.charge({ payment_type: 'gopay' }), 400);
});

test('an order id that waits is 406, and free again after a cancel', async () => {
  const body = bca();
  const first = await core.charge(body);
  await isRefused(core.charge(body), '406');
  const cancelled = await core.transaction.cancel(first.order_id);
  assert.deepEqual([cancelled.status_code, cancelled.transaction_status], ['200', 'cancel']);
  const second = await core.charge(body);
  assert.notEqual(second.transaction_id, first.transaction_id);
  assert.equal((await core.transaction.status(first.order_id)).transaction_id, second.transaction_id);
  assert.equal((await core.transaction.status(first.transaction_id)).transaction_status, 'cancel');
});

test('an expiry is 407 and no error', async () => {
  const charged = await core.charge(bca());
  const expired = await core.transaction.expire(charged.order_id);
  assert.deepEqual([expired.status_code, expired.transaction_status], ['407', 'expire']);
  const status = await core.transaction.status(charged.order_id);
  assert.deepEqual([status.status_code, status.transaction_status], ['407', 'expire']);
});

test('what is paid cannot be cancelled or expired', async () => {
  const charged = await paid(bca());
  await isRefused(core.transaction.cancel(charged.order_id), '412');
  await isRefused(core.transaction.expire(charged.order_id), '412');
  assert.equal((await core.transaction.status(charged.order_id)).transaction_status, 'settlement');
});

test('a challenged card is approved', async () => {
  const charged = await core.charge(await byCard('4511111111111117'));
  assert.deepEqual([charged.status_code, charged.fraud_status], ['201', 'challenge']);
  const approved = await core.transaction.approve(charged.order_id);
  assert.deepEqual([approved.status_code, approved.transaction_status, approved.fraud_status], ['200', 'capture', 'accept']);
  await isRefused(core.transaction.approve(charged.order_id), '412');
});

test('a challenged card is denied', async () => {
  const charged = await core.charge(await byCard('4511111111111117'));
  const denied = await core.transaction.deny(charged.order_id);
  assert.deepEqual([denied.status_code, denied.transaction_status, denied.fraud_status], ['200', 'deny', 'deny']);
});

test('an authorised amount is captured, in part too', async () => {
  const reserved = await core.charge(await byCard('4811111111111114', { type: 'authorize' }));
  assert.deepEqual([reserved.status_code, reserved.transaction_status], ['200', 'authorize']);
  const wanted = { transaction_id: reserved.transaction_id, gross_amount: 40000 };
  await sim('faults', { api: { deny_captures: true } });
  assert.equal((await core.capture(wanted)).status_code, '202');
  await sim('faults', { api: { deny_captures: false } });
  assert.equal((await core.transaction.status(reserved.order_id)).transaction_status, 'authorize');
  const captured = await core.capture(wanted);
  assert.deepEqual([captured.status_code, captured.transaction_status, captured.gross_amount], ['200', 'capture', '40000.00']);
});

test('one refund key is one refund, and more than the rest is 414', async () => {
  const charged = await paid(order('gopay'));
  const wanted = { refund_key: `${charged.order_id}-r`, amount: 4000, reason: 'moved out' };
  const first = await core.transaction.refund(charged.order_id, wanted);
  assert.deepEqual([first.status_code, first.transaction_status], ['200', 'partial_refund']);
  const again = await core.transaction.refund(charged.order_id, wanted);
  assert.equal(again.refund_chargeback_id, first.refund_chargeback_id);
  const status = await core.transaction.status(charged.order_id);
  assert.deepEqual([status.refund_amount, status.refunds.length], ['4000.00', 1]);
  await isRefused(core.transaction.refund(charged.order_id, { refund_key: 'more', amount: 40001 }), '414');
});

test('a direct refund is approved or denied by the bank at once', async () => {
  const charged = await paid(order('gopay'));
  await sim('faults', { api: { deny_direct_refunds: true } });
  const denied = await core.transaction.refundDirect(charged.order_id, { refund_key: 'direct-1' });
  assert.deepEqual([denied.status_code, denied.transaction_status, denied.refund_amount], ['202', 'settlement', '0.00']);
  await sim('faults', { api: { deny_direct_refunds: false } });
  const approved = await core.transaction.refundDirect(charged.order_id, { refund_key: 'direct-2' });
  assert.deepEqual([approved.status_code, approved.transaction_status], ['200', 'refund']);
});

test('a notification that arrived is confirmed by the status', async () => {
  const charged = await paid(bca());
  const isOurs = (body) => body.order_id === charged.order_id && body.transaction_status === 'settlement';
  for (let tries = 0; tries < 500 && !heard.some(isOurs); tries += 1) {
    await new Promise((later) => setTimeout(later, 10));
  }
  const notification = heard.find(isOurs);
  assert.ok(notification, 'the merchant heard of it');
  for (const given of [notification, JSON.stringify(notification)]) {
    const status = await core.transaction.notification(given);
    assert.equal(status.status_message, 'Success, transaction is found');
    assert.equal(status.signature_key, notification.signature_key);
    assert.deepEqual({ ...status, status_message: '' }, { ...notification, status_message: '' });
  }
});

test('a hosted page has a token and an address, and no status before somebody pays', async () => {
  const { transaction_details, item_details } = bca();
  const wanted = { transaction_details, item_details, credit_card: { secure: true } };
  const made = await snap.createTransaction(wanted);
  assert.equal(made.redirect_url, `${base}/snap/v4/redirection/${made.token}`);
  const token = await snap.createTransactionToken(wanted);
  assert.match(token, /^[0-9a-f-]{36}$/);
  assert.notEqual(token, made.token);
  const url = await snap.createTransactionRedirectUrl(wanted);
  assert.equal((await fetch(url)).status, 200);
  await isRefused(core.transaction.status(transaction_details.order_id), '404');
  const denied = await sim(`pages/${token}/pay`, { card_number: '4911111111111113' });
  const captured = await sim(`pages/${token}/pay`, { card_number: '4811111111111114' });
  assert.deepEqual([denied.status, captured.status], ['deny', 'capture']);
  const status = await core.transaction.status(transaction_details.order_id);
  assert.deepEqual([status.transaction_id, status.transaction_status], [captured.transaction_id, 'capture']);
  await isRefused(snap.createTransaction(wanted), 400);
});
