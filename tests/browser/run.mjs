// Opens every page that `cargo test report::` has kept, in Chromium, as readers of all kinds would: narrow and wide, in the
// light, in the dark and with forced colours, from a keyboard and on paper. Usage: node run.mjs FOLDER CHROMIUM
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import Ajv from 'ajv';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const [folder, executablePath] = process.argv.slice(2);
const names = readdirSync(folder).filter((name) => name.endsWith('.html')).sort();
assert(names.includes('rich.html'), `no pages in ${folder}: run \`cargo test --test it report::\` first`);

// Readers get the page under the policy of the service: its own style and nothing else.
const server = createServer((request, response) => {
  const html = readFileSync(join(folder, request.url.slice(1)), 'utf8');
  const hash = createHash('sha256').update(/<style>([^]*?)<\/style>/.exec(html)[1]).digest('base64');
  response.setHeader('content-type', 'text/html; charset=utf-8');
  response.setHeader('content-security-policy', `default-src 'none'; style-src 'sha256-${hash}'; base-uri 'none'`);
  response.end(html);
});
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
const address = (name) => `http://127.0.0.1:${server.address().port}/${name}`;

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const faults = [];
const fault = (name, what) => faults.push(`${name}: ${what}`);

async function open(name, width, colours = {}) {
  const page = await browser.newPage({ viewport: { width, height: 900 }, ...colours });
  page.on('console', (message) => {
    // The browser asks for an icon on its own account; the page does not.
    if (message.type() === 'error' && !message.location().url.endsWith('favicon.ico')) fault(name, message.text());
  });
  page.on('pageerror', (error) => fault(name, error.message));
  page.on('dialog', (dialog) => { fault(name, 'a dialog opened'); dialog.dismiss(); });
  await page.route('**/favicon.ico', (route) => route.fulfill({ status: 204 }));
  await page.goto(address(name));
  return page;
}

/** Text that leaves its drawing is cut on paper and covered by a neighbour on a screen. */
async function cutLabels(page) {
  return page.evaluate(() => [...document.querySelectorAll('figure svg[role=img]')].flatMap((svg) => {
    const room = svg.getBoundingClientRect();
    if (room.width === 0) return [];
    return [...svg.querySelectorAll('text')].filter((text) => {
      const box = text.getBoundingClientRect();
      return box.left < room.left - 3 || box.right > room.right + 3;
    }).map((text) => `${svg.closest('figure').id}: ${text.textContent}`);
  }));
}

async function axe(page, name, what) {
  await page.evaluate(require('axe-core').source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  for (const { id, nodes } of violations) fault(name, `${what}: axe ${id}: ${nodes[0].html.slice(0, 120)}`);
}

for (const name of names) {
  for (const width of [320, 800, 1400]) {
    const page = await open(name, width);
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) fault(name, `${overflow} px wider than a screen of ${width}`);
    for (const label of await cutLabels(page)) fault(name, `cut at ${width}: ${label}`);
    if (width === 800) await axe(page, name, 'light');
    await page.close();
  }
}

for (const name of ['rich.html', 'invalid.html', 'rich_hostile.html', 'serving.html', 'serving_hostile.html']) {
  for (const [what, colours] of [['dark', { colorScheme: 'dark' }], ['forced', { forcedColors: 'active' }]]) {
    const page = await open(name, 800, colours);
    await axe(page, name, what);
    await page.close();
  }
}

const page = await open('rich.html', 800);
const reached = new Set();
for (let n = 0; n < 120; n += 1) {
  await page.keyboard.press('Tab');
  reached.add(await page.evaluate(() => document.activeElement.tagName));
}
for (const tag of ['A', 'SUMMARY', 'DIV']) if (!reached.has(tag)) fault('rich.html', `no key leads to <${tag}>`);
const paper = await page.pdf({ format: 'A4', preferCSSPageSize: true });
if (paper.length < 20_000) fault('rich.html', 'its paper is empty');
if (paper.includes('/Subtype /Image')) fault('rich.html', 'its paper holds pixels');
await browser.close();
server.close();

// The schema's formats name colours and the like, which a validator need not know.
const schema = JSON.parse(readFileSync(require.resolve('vega-lite/vega-lite-schema.json')));
const conforms = new Ajv({ strict: false, validateFormats: false }).compile(schema);
const plots = readdirSync(folder).filter((name) => name.endsWith('.vl.json'));
assert(plots.length > 0, 'no specifications to check');
for (const name of plots) {
  if (!conforms(JSON.parse(readFileSync(join(folder, name))))) fault(name, JSON.stringify(conforms.errors?.slice(0, 3)));
}

for (const line of faults) console.error(line);
console.log(`${names.length} pages and ${plots.length} specifications looked at, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
