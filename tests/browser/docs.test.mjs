// The page for those who write a front end.

import { sees, story } from './lib.mjs';

story('the document of the service is shown, and nothing of it comes from elsewhere', async ({ page }) => {
  await page.goto('/docs/');
  await sees(page.getByRole('heading', { name: 'Kasir' }));
  await sees(page.getByText('/api/payment-methods', { exact: true }));
});
