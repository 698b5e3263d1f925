// Starts `afterword demo` and does in Chromium what a visitor of its chat can do, until the rows of it are in Postgres and on
// the page; then looks at the page in all widths and colours. Usage: node demo.mjs PROGRAM CHROMIUM [FOLDER FOR PICTURES]
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const [program, executablePath, pictures] = process.argv.slice(2);
/** How long anything may take before the test gives up. */
const PATIENCE_MS = 120_000;

/** Starts a demo with few users; resolves with the address of its chat once it says so. */
async function startDemo() {
  const root = mkdtempSync(join(tmpdir(), 'afterword-demo-'));
  // The account of a Postgres that root starts must be able to pass through.
  chmodSync(root, 0o711);
  const args = ['demo', '--users', '2', '--listen', '127.0.0.1:0', '--data-dir', join(root, 'demo')];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const url = await new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`the demo did not say where its chat is:\n${said}`)), PATIENCE_MS);
    const read = (chunk) => {
      said += chunk;
      const found = /^Chat +(http:\S+)/m.exec(said);
      if (found) {
        clearTimeout(deadline);
        resolve(found[1]);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`the demo ended with ${code}:\n${said}`)));
  });
  return {
    url,
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGINT');
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const demo = await startDemo();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const faults = [];

async function open(options) {
  const context = await browser.newContext({ viewport: { width: 1400, height: 1000 }, ...options });
  await context.grantPermissions(['clipboard-read', 'clipboard-write']);
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS / 4);
  page.on('console', (message) => message.type() === 'error' && faults.push(message.text()));
  page.on('pageerror', (error) => faults.push(error.message));
  await page.goto(demo.url);
  await page.waitForSelector('#suggestions button');
  return page;
}

/** Waits until the table has a row of this kind whose words match. */
const rowOf = (page, kind, words) =>
  page.locator('#rows tr').filter({ has: page.locator('td.kind', { hasText: new RegExp(`^${kind}$`) }) }).filter({ hasText: words }).first().waitFor();
const answer = (page, number) => page.locator(`#answer-${number}`);

async function axe(page, what) {
  await page.evaluate(require('axe-core').source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  for (const { id, nodes } of violations) faults.push(`${what}: axe ${id}: ${nodes[0].html.slice(0, 160)}`);
}

try {
  const page = await open({});
  await page.getByRole('button', { name: /removes duplicates/ }).click();
  await rowOf(page, 'completion', 'canned-thorough');

  const first = answer(page, 1);
  await first.getByRole('button', { name: 'Good answer' }).click();
  await rowOf(page, 'thumb', 'up');
  await page.getByText('label: positive').waitFor();
  await first.getByRole('button', { name: 'Bad answer' }).click();
  await rowOf(page, 'thumb', 'down');
  await first.getByRole('checkbox', { name: 'Unclear' }).check();
  await first.getByRole('textbox', { name: 'Comment' }).fill('Why a dictionary?');
  await first.getByRole('button', { name: 'Send' }).click();
  await rowOf(page, 'thumb', /down, unclear, “Why a dictionary\?”/);
  await page.getByText('label: negative').waitFor();

  await first.getByRole('button', { name: 'Copy' }).click();
  await rowOf(page, 'copy', /(\d+) of \1 characters, by button, with code/);
  const copied = await page.evaluate(() => navigator.clipboard.readText());
  assert.match(copied, /dict\.fromkeys/);
  await first.locator('.text li').first().selectText();
  await page.keyboard.press('Control+C');
  await rowOf(page, 'copy', /23 of \d+ characters, by selection/);

  await first.getByRole('button', { name: 'Edit' }).click();
  await first.getByRole('textbox', { name: 'Edit answer 1' }).fill('Use `dict.fromkeys`.');
  await first.getByRole('button', { name: 'Save' }).click();
  await rowOf(page, 'edit', '20 characters');
  assert.equal(await first.locator('.text').innerText(), 'Use dict.fromkeys.');

  await first.getByRole('button', { name: 'Another answer' }).click();
  await answer(page, 2).getByText('attempt 2').waitFor();
  await rowOf(page, 'regenerate', 'replaced by #2');

  await page.getByRole('checkbox', { name: /Two answers/ }).check();
  await page.getByRole('textbox', { name: 'Your question' }).fill('Which is better for 500 km, a train or a plane?');
  await page.keyboard.press('Enter');
  await answer(page, 4).waitFor();
  await rowOf(page, 'continuation', /turn 1, next #[34]/);
  await page.getByRole('button', { name: 'Second is better' }).click();
  await rowOf(page, 'preference', /worse than #[34]/);
  await rowOf(page, 'impression', 'came into view');

  const stored = page.locator('#rows tr').filter({ hasText: 'Why a dictionary?' }).first();
  await stored.locator('summary').click();
  assert.match(await stored.locator('pre').innerText(), /"trust": "verified"/);
  if (pictures) await page.screenshot({ path: join(pictures, 'demo-1400.png'), fullPage: true });

  for (const width of [320, 360, 800, 1400]) {
    await page.setViewportSize({ width, height: 900 });
    const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    if (overflow > 0) faults.push(`${overflow} px wider than a screen of ${width}`);
    await axe(page, `${width} px`);
    if (pictures) await page.screenshot({ path: join(pictures, `demo-${width}.png`), fullPage: true });
  }
  await page.emulateMedia({ colorScheme: 'dark' });
  await axe(page, 'dark');
  if (pictures) await page.screenshot({ path: join(pictures, 'demo-dark.png'), fullPage: true });
  await page.emulateMedia({ forcedColors: 'active' });
  await axe(page, 'forced colours');
} finally {
  await browser.close();
  await demo.stop();
}
for (const line of faults) console.error(line);
console.log(`the chat of the demo was used in Chromium, ${faults.length} faults`);
process.exit(faults.length > 0 ? 1 : 0);
