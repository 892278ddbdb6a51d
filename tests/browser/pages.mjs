// Which pages the dashboard has, each with something on it, and the forms on them.

import { deadJob, paid, reconciliation, value } from './house.mjs';

/** Fills the house, and gives the path of a page for each name: those of the menu, and one of each thing there is. */
export async function everyPage(page) {
  const job = await deadJob();
  const { invoice, bill } = await paid();
  const comparison = await reconciliation();
  const notification = value('SELECT max(id) FROM notifications');

  await page.goto('/admin');
  const links = page.getByRole('navigation', { name: 'Main menu' }).getByRole('link');
  const hrefs = await links.evaluateAll((all) => all.map((link) => link.getAttribute('href')));
  const named = (path) => [path.slice('/admin'.length).split('?')[0].replaceAll('/', '-').slice(1) || 'overview', path];
  return [
    ...hrefs.map(named),
    ['job', `/admin/jobs/${job.id}`],
    ['payment', `/admin/payments/${invoice}`],
    ['bill', `/admin/bills/${bill}`],
    ['reconciliation', `/admin/reconciliations/${comparison}`],
    ['notification', `/admin/notifications/${notification}`],
  ];
}

/** The forms of a page that change something: where each goes, and what stands in it. */
export function formsOf(page) {
  return page.locator('form[method=post]').evaluateAll((forms) =>
    forms.map((form) => ({
      to: form.getAttribute('action'),
      isMultipart: form.enctype === 'multipart/form-data',
      fields: Object.fromEntries([...new FormData(form)].filter(([, value]) => typeof value === 'string')),
    })),
  );
}

/** Every form of these pages, once. */
export async function everyForm(page, pages) {
  const found = new Map();
  for (const [, path] of pages) {
    await page.goto(path);
    for (const form of await formsOf(page)) found.set(form.to, form);
  }
  return [...found.values()];
}

/** Sends a form as it stands, with `fields` in place of its own; the answer's status. */
export async function send(context, form, fields, headers = {}) {
  const body = Object.fromEntries(Object.entries({ ...form.fields, reason: 'a try', ...fields }).filter(([, text]) => text !== null));
  const file = { name: 'shop.csv', mimeType: 'text/csv', buffer: Buffer.from('Order ID,Transaction status,Amount,Transaction Time\n') };
  const content = form.isMultipart ? { multipart: { ...body, files: file } } : { form: body };
  const answer = await context.request.post(form.to, { ...content, headers, maxRedirects: 0 });
  return answer.status();
}
