// The examples as a reader runs them: built by their own configuration, opened, pressed, and the rows looked up.
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { build } from 'vite';

const NAMES = ['plain', 'react', 'vue', 'svelte'];

/** Builds an example; the plain one is served as it is. Returns its path on the origin of the tests. */
async function prepare(name) {
  if (name === 'plain') return '/examples/plain/index.html';
  const root = `examples/${name}`;
  await build({
    root,
    configFile: `${root}/vite.config.js`,
    logLevel: 'warn',
    build: { outDir: resolve('build/examples', name), emptyOutDir: true },
  });
  return `/build/examples/${name}/index.html`;
}

export const EXAMPLES = Object.fromEntries(
  NAMES.map((name) => [
    `the example of ${name} runs, and what is pressed in it arrives`,
    async ({ page, pages, service, token }) => {
      const path = await prepare(name);
      const complaints = [];
      page.on('console', (message) => /error|warning/.test(message.type()) && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      await page.goto(`${pages.origin}${path}?endpoint=${encodeURIComponent(pages.origin)}&key=${token}`);
      await page.getByRole('button', { name: 'Bad answer' }).first().click();
      await page.getByLabel('Bad tone').check();
      await page.getByLabel('Comment').fill(`from ${name}`);
      await page.getByRole('button', { name: 'Send' }).click();
      const [second, pressed] = name === 'plain' ? ['Good answer', 1] : ['Helpful', 0];
      await page.getByRole('button', { name: second, exact: true }).nth(pressed).click();

      let rows = [];
      const deadline = AbortSignal.timeout(15_000);
      // The page does not show its client; what it sent is asked of the service.
      while (rows.filter((row) => row.signal === 'thumb').length < 3) {
        deadline.throwIfAborted();
        rows = (await service.rows()).filter(({ completion_id }) => [`${name}-1`, `${name}-2`].includes(completion_id));
      }
      const thumbs = rows.filter((row) => row.signal === 'thumb');
      const told = thumbs.map((row) => `${row.completion_id} ${row.value}`).toSorted();
      assert.deepEqual(told, [`${name}-1 down`, `${name}-1 down`, `${name}-2 up`]);
      assert.ok(
        rows.some((row) => row.signal === 'impression'),
        'observe() sees the answers',
      );
      assert.deepEqual(complaints, []);
    },
  ]),
);
