// A tenant logs in, sees what is owed, pays the newest unpaid bill, and waits until the money has come.
//
// `kasir.d.ts` is made from the OpenAPI document: npx openapi-typescript https://YOUR-HOST/openapi.json -o kasir.d.ts

import createClient from 'openapi-fetch';

import type { components, paths } from './kasir.js';

type Instruction = components['schemas']['Instruction'];
type Payment = components['schemas']['Payment'];
type Problem = components['schemas']['Problem'];

/** A failure that Kasir explains. `type` is stable: decide by it, and show `title` to people who read logs. */
class Refused extends Error {
  constructor(readonly problem: Problem) {
    super(`${problem.title} (${problem.type})`);
  }
}

function must<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.error) throw new Refused(answer.error);
  return answer.data!;
}

/** One line for the payer; each kind needs a picture, a link or a button of its own on a real page. */
function inWords(instruction: Instruction): string {
  switch (instruction.kind) {
    case 'virtual_account':
      return `Transfer to ${instruction.bank} ${instruction.number}`;
    case 'mandiri_bill':
      return `Mandiri: biller ${instruction.billerCode}, bill key ${instruction.billKey}`;
    case 'payment_code':
      return `Tell the cashier at ${instruction.store}: ${instruction.code}`;
    case 'qr':
      return `Scan ${instruction.imageUrl ?? instruction.qrString ?? instruction.deeplinkUrl}`;
    case 'push':
      return `Confirm on the telephone ${instruction.phone}`;
    case 'deeplink':
    case 'redirect':
      return `Go on at ${instruction.url}`;
  }
}

export interface House {
  url: string;
  /** The key of this front end. It stays on the server side of the front end, never in a browser. */
  apiKey: string;
}

export async function payNewestBill(
  house: House,
  login: { email: string; password: string },
  method: string,
  show: (line: string) => void,
): Promise<Payment> {
  const kasir = createClient<paths>({ baseUrl: house.url });
  const { accessToken } = must(await kasir.POST('/api/login', { body: login }));
  const headers = { authorization: `Bearer ${accessToken}` };

  const bills = must(await kasir.GET('/api/bills', { headers }));
  const bill = bills.find(({ status }) => status !== 'paid');
  if (!bill) throw new Error('nothing is owed');
  show(`Bill ${bill.id} of ${bill.month}/${bill.year}: Rp${bill.amount.toLocaleString('id-ID')}`);

  // The same key on every try of the same press of the button: whatever the network does, it is one payment.
  const key = crypto.randomUUID();
  const paying = must(
    await kasir.POST('/api/bills/{id}/pay', {
      params: { path: { id: bill.id }, header: { 'Idempotency-Key': key, Prefer: 'wait=5' } },
      headers: { ...headers, 'x-api-key': house.apiKey },
      body: { payment: method },
    }),
  );
  show(`Invoice ${paying.invoice}`);

  // `pending` without an instruction only means that Midtrans has not answered yet.
  const look = { params: { path: { invoice: paying.invoice }, header: { Prefer: 'wait=10' } }, headers };
  let payment = must(await kasir.GET('/api/payment/{invoice}', look));
  while (payment.status === 'pending' && !payment.payment.instruction) {
    payment = must(await kasir.GET('/api/payment/{invoice}', look));
  }
  if (payment.payment.instruction) show(inWords(payment.payment.instruction));

  // A page in a browser listens to /api/payment/{invoice}/events instead.
  while (payment.status === 'pending') {
    await new Promise((wake) => setTimeout(wake, 1000));
    payment = must(await kasir.GET('/api/payment/{invoice}', look));
  }
  show(`Status ${payment.status}`);
  return payment;
}
