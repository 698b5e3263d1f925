// Opens the page behind a feedback link in Chromium as people would: narrow and wide, in the light, in the dark and with forced
// colours, from a keyboard and without scripts; answers it, changes the answer and takes it back.
// Usage: node links.mjs PROGRAM CHROMIUM [FOLDER FOR PICTURES]
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

/** Starts the service with a Postgres of its own; resolves with its address and the key of its first start. */
async function startService() {
  const root = mkdtempSync(join(tmpdir(), 'afterword-links-'));
  // The account of a Postgres that root starts must be able to pass through.
  chmodSync(root, 0o711);
  const env = { ...process.env, AFTERWORD_LISTEN: '127.0.0.1:0', AFTERWORD_DATA_DIR: join(root, 'data') };
  const child = spawn(program, ['serve'], { stdio: ['ignore', 'pipe', 'ignore'], env, cwd: root });
  let said = '';
  await new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`the service does not listen:\n${said}`)), PATIENCE_MS);
    child.stdout.on('data', (chunk) => {
      said += chunk;
      if (said.includes('listening on ')) {
        clearTimeout(deadline);
        resolve();
      }
    });
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}:\n${said}`)));
  });
  return {
    url: /^listening on (\S+)/m.exec(said)[1],
    key: /aw_sec_\w{16}_\S+/.exec(said)[0],
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(root, { recursive: true, force: true });
    },
  };
}

const service = await startService();
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
const faults = [];

async function ask(path, init = {}) {
  const headers = { authorization: `Bearer ${service.key}`, 'content-type': 'application/json' };
  const response = await fetch(service.url + path, { headers, ...init });
  assert(response.ok, `${path}: ${response.status}`);
  return response.json();
}

async function link(completionId) {
  const body = JSON.stringify({ subject: 'u-1', completion_id: completionId });
  return service.url + (await ask('/v1/feedback-links', { method: 'POST', body })).path;
}

async function open(address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 800, height: 900 }, ...options });
  const page = await context.newPage();
  page.on('console', (message) => {
    // The browser asks for an icon on its own account, and tells of the status of the page that is meant to fail.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) faults.push(message.text());
  });
  page.on('request', (request) => {
    if (request.headers().referer) faults.push(`a referrer was sent to ${request.url()}`);
  });
  await page.goto(address);
  return page;
}

async function look(page, what) {
  const excess = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (excess > 0) faults.push(`${what}: ${excess} px too wide`);
  await page.evaluate(require('axe-core').source);
  const { violations } = await page.evaluate(() => globalThis.axe.run({ resultTypes: ['violations'] }));
  for (const { id, nodes } of violations) faults.push(`${what}: axe ${id}: ${nodes[0].html.slice(0, 120)}`);
  if (pictures) await page.screenshot({ path: join(pictures, `link-${what}.png`), fullPage: true });
}

try {
  // In all widths and colours: fresh, with the thumb down chosen, and where a link is no good.
  const seen = await link('c-looks');
  for (const width of [320, 800]) {
    for (const colours of [{ colorScheme: 'light' }, { colorScheme: 'dark' }, { forcedColors: 'active' }]) {
      const options = { viewport: { width, height: 900 }, ...colours };
      const name = `${width}-${Object.values(colours)[0]}`;
      for (const [state, address] of [['fresh', seen], ['down', `${seen}?value=down`], ['dead', `${seen}x`]]) {
        const page = await open(address, options);
        await look(page, `${name}-${state}`);
        await page.context().close();
      }
    }
  }
  assert.equal((await ask('/v1/feedback')).feedback.length, 0, 'looking recorded something');

  // By the keyboard alone: the thumb down, a reason, a comment, and Enter on the button.
  const answered = await link('c-keys');
  let page = await open(answered);
  await page.keyboard.press('Tab');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Space');
  for (let n = 0; n < 4; n += 1) await page.keyboard.press('Tab');
  await page.keyboard.type('So.\nNo.');
  await page.keyboard.press('Tab');
  await Promise.all([page.waitForURL(/\?$/), page.keyboard.press('Enter')]);
  assert.match(await page.getByRole('status').innerText(), /No, it was not helpful\..*Your comment is recorded/s);
  await look(page, 'recorded');
  await page.reload();
  await page.context().close();

  // Without scripts: the mind is changed, then the answer is taken back.
  page = await open(answered, { javaScriptEnabled: false });
  assert(await page.getByRole('radio', { name: 'No', exact: true }).isChecked());
  await page.getByRole('radio', { name: 'Yes', exact: true }).check();
  assert(await page.getByText('what was wrong?').isHidden(), 'there is nothing wrong with what helped');
  await page.getByRole('button', { name: 'Send' }).click();
  assert.match(await page.getByRole('status').innerText(), /Yes, it was helpful/);
  await page.getByRole('button', { name: 'Take my answer back' }).click();
  assert.equal(await page.getByRole('status').count(), 0);
  const { feedback } = await ask('/v1/feedback');
  const told = feedback.map(({ value, reasons, comment }) => ({ value, reasons, comment }));
  assert.deepEqual(told.map(({ value }) => value).sort(), ['down', 'none', 'up'], JSON.stringify(told));
  const down = told.find(({ value }) => value === 'down');
  assert.deepEqual([down.reasons, down.comment], [['incorrect'], 'So.\nNo.']);

  // A form with nothing chosen does not leave the page.
  page = await open(await link('c-nothing'));
  await page.getByRole('button', { name: 'Send' }).click();
  assert(await page.evaluate(() => document.querySelector('input:invalid') !== null));
} finally {
  await browser.close();
  await service.stop();
}
assert.deepEqual(faults, [], faults.join('\n'));
console.log('the page of a link is right in Chromium');
