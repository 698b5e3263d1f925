// The bindings in real frameworks, the oldest and the newest that we name: rendered on a server, taken over by a page, pressed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, resolve } from 'node:path';
import { build } from 'esbuild';

const OLDER = resolve('test/older');
const require = createRequire(import.meta.url);

/** Takes packages from another folder than ours. */
const older = (filter) => ({
  name: 'older',
  setup(build) {
    build.onResolve({ filter }, ({ path, kind, pluginData }) =>
      pluginData ? undefined : build.resolve(path, { resolveDir: OLDER, kind, pluginData: true }),
    );
  },
});

/** Compiles Svelte's components with the compiler of one version. */
const svelteOf = (folder, generate) => ({
  name: 'svelte',
  setup(build) {
    const { compile } = createRequire(`${folder}/package.json`)('svelte/compiler');
    build.onLoad({ filter: /\.svelte$/ }, ({ path }) => {
      const { js } = compile(readFileSync(path, 'utf8'), { filename: basename(path), generate, css: 'injected' });
      return { contents: js.code, resolveDir: 'test/frameworks' };
    });
  },
});

/** What Vue asks a bundler to settle. */
const VUE = {
  __VUE_OPTIONS_API__: 'false',
  __VUE_PROD_DEVTOOLS__: 'false',
  __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'true',
};

const FRAMEWORKS = [
  { name: 'react-18', page: 'react-page.jsx', server: 'react-server.jsx', plugins: [older(/^react(-dom)?(\/|$)/)] },
  { name: 'react-19', page: 'react-page.jsx', server: 'react-server.jsx' },
  { name: 'vue-3', page: 'vue-page.js', server: 'vue-server.js' },
  { name: 'svelte-4', page: 'svelte-page.js', plugins: [older(/^svelte(\/|$)/), svelteOf(OLDER, 'dom')] },
  { name: 'svelte-5', page: 'svelte-page.js', plugins: [svelteOf(resolve('.'), 'client')] },
];

/** Bundles both halves of a framework's page. Returns what the server renders, and the script. */
async function bundle({ name, page, server, plugins = [] }) {
  const shared = {
    bundle: true,
    plugins,
    jsx: 'automatic',
    conditions: ['browser'],
    // Their development builds, which complain.
    define: { 'process.env.NODE_ENV': '"development"', ...VUE },
    logLevel: 'error',
  };
  const outfile = `build/frameworks/${name}`;
  await build({ ...shared, entryPoints: [`test/frameworks/${page}`], format: 'esm', outfile: `${outfile}.js` });
  if (!server) return '';
  const entryPoints = [`test/frameworks/${server}`];
  await build({ ...shared, conditions: [], entryPoints, format: 'cjs', platform: 'node', outfile: `${outfile}.cjs` });
  return require(resolve(`${outfile}.cjs`)).render(name);
}

async function press(page, name, service) {
  const outputs = () => page.locator('output').allTextContents();
  const click = (text, i = 0) => page.getByRole('button', { name: text, exact: true }).nth(i).click();
  const isNow = async (...wanted) => {
    for (const [i, text] of wanted.entries())
      await page.waitForFunction(
        ([i, text]) => document.querySelectorAll('output')[i]?.textContent === text,
        [i, text],
      );
    assert.deepEqual(await outputs(), wanted);
  };
  await isNow(`${name}-1 none`, `${name}-1 none`, `${name}-2 down`);
  assert.equal(await page.locator('article.answer').getAttribute('data-completion-id'), `${name}-1`);
  await click(`up ${name}-1`);
  await isNow(`${name}-1 up`, `${name}-1 up`, `${name}-2 down`);
  await click(`up ${name}-1`, 1);
  await isNow(`${name}-1 none`, `${name}-1 none`, `${name}-2 down`);
  await click(`down ${name}-1`);
  await click(`up ${name}-2`);
  await click('toggle');
  await isNow(`${name}-1 down incorrect no`, `${name}-1 down incorrect no`);
  await click('toggle');
  await isNow(`${name}-1 down incorrect no`, `${name}-1 down incorrect no`, `${name}-2 up`);
  // What another part of the page records is seen, too.
  await page.evaluate((name) => aw.thumb(`${name}-2`, 'none'), name);
  await isNow(`${name}-1 down incorrect no`, `${name}-1 down incorrect no`, `${name}-2 none`);

  const thumbs = page.getByRole('button', { name: 'Good answer' });
  if (await thumbs.count()) {
    await thumbs.click();
    assert.equal(await page.locator('b').textContent(), 'up', 'the listener is called');
    assert.equal(await thumbs.getAttribute('aria-pressed'), 'true');
  }
  await page.waitForFunction(() => aw.pending === 0);
  const rows = (await service.rows()).filter((row) => row.completion_id.startsWith(`${name}-`));
  const byId = (i) => rows.filter((row) => row.completion_id === `${name}-${i}`).length;
  assert.deepEqual([byId(1), byId(2), byId(3)], [3, 2, name === 'react-19' ? 1 : 0], 'each press is one row');
}

/** One test for each framework. */
export const BINDINGS = Object.fromEntries(
  FRAMEWORKS.map((framework) => [
    `${framework.name}: rendered on a server and pressed on a page, each press is one row`,
    async ({ page, pages, service, token }) => {
      const { name } = framework;
      const html = await bundle(framework);
      if (framework.server) assert.match(html, new RegExp(`<article[^>]*data-completion-id="${name}-1"`));
      const complaints = [];
      page.on('console', (message) => /error|warning/.test(message.type()) && complaints.push(message.text()));
      page.on('pageerror', (error) => complaints.push(String(error)));
      const script = readFileSync(`build/frameworks/${name}.js`, 'utf8');
      const body = `<div id="app">${html}</div><div id="orphan"></div><script type="module">Object.assign(document.body.dataset, ${JSON.stringify({ token, name })})</script>`;
      await page.goto(pages.write(body, { script }));
      await press(page, name, service);
      const nWarnings = (await page.getByRole('button', { name: 'orphan' }).count()) ? 1 : 0;
      if (nWarnings) await page.getByRole('button', { name: 'orphan' }).click();
      assert.deepEqual(await page.evaluate(() => window.mistakes), []);
      const unexpected = complaints.filter((text) => !/no client here|React DevTools/.test(text));
      assert.deepEqual(unexpected, []);
      assert.equal(complaints.filter((text) => /no client here/.test(text)).length, nWarnings);
    },
  ]),
);
