// Runs the tests of <afterword-thumbs> and of the bindings, each on a page of its own.
import { BINDINGS } from './bindings.mjs';
import { DRESS } from './dress.mjs';
import { EXAMPLES } from './examples.mjs';
import { startPages } from './pages.mjs';
import { RECORDING, THUMBS } from './thumbs.mjs';

/** Runs them all, or those whose names hold `wanted`. Returns how many there were. */
export async function runElement(browser, service, wanted = '') {
  const pages = await startPages({ dist: 'dist', build: 'build', examples: 'examples' });
  pages.forwardTo(service.url);
  const token = await service.publishableKey([pages.origin]);
  const tests = Object.entries({ ...THUMBS, ...DRESS, ...BINDINGS, ...EXAMPLES }).filter(([name]) =>
    name.includes(wanted),
  );
  try {
    for (const [name, run] of tests) {
      const context = await browser.newContext();
      const page = await context.newPage();
      page.setDefaultTimeout(10_000);
      const open = (body, script = RECORDING, x = {}) => page.goto(pages.write(body, { script, ...x }));
      await run({ page, context, pages, open, service, token }).catch((error) => {
        throw new Error(name, { cause: error });
      });
      await context.close();
      console.log(`ok: ${name}`);
    }
  } finally {
    pages.stop();
  }
  return tests.length;
}
