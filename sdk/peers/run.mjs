// Plays the fault matrix of the browser SDK's tests on other clients, each pointed at the same fault server.
// Usage: node run.mjs [--write ../../docs/sdk-rivals.md] [--later] [client …]; with --later one more reaction is recorded at the
// end, which is not counted: some clients send what waits only with the next one.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { FAULTS, startFaults } from '../browser/test/browser/faults.mjs';

const PACKAGES = {
  afterword: '@afterword/browser',
  posthog: 'posthog-js',
  segment: '@segment/analytics-next',
  snowplow: '@snowplow/browser-tracker',
  mixpanel: 'mixpanel-browser',
  langfuse: 'langfuse',
};
const ACTIONS = ['navigate', 'close', 'crash', 'offline'];
const N_REACTIONS = 3;
/** How long the later visit lasts, or what is left of the only one. */
const VISIT_MS = 20_000;
/** As in our own matrix: on plain HTTP the later visit is half an hour later by its clock. */
const SHIFT_MS = 31 * 60_000;
const PAGES_AT_ONCE = 16;

/** A body as text, whichever way a client packs it: as it is, zipped, or in Base64 within a form. */
function unpack(body) {
  const text = (body[0] === 0x1f ? gunzipSync(body) : body).toString();
  const form = /(?:^|&)data=([^&]*)/.exec(text)?.[1];
  if (!form) return text;
  const value = decodeURIComponent(form.replace(/\+/g, ' '));
  return `${value} ${Buffer.from(value, 'base64')}`;
}

/** Receives what a client sends, and says yes as its own service would. */
function receiver(markers, arrived) {
  const found = (body) =>
    markers.flatMap((marker) =>
      unpack(body)
        .split(`"${marker}"`)
        .slice(1)
        .map(() => marker),
    );
  return {
    carries: (body) => found(body).length > 0,
    // A client may name the marker twice in an event, and never in two of one request.
    store: (body) => arrived.push(...new Set(found(body))),
    answer(incoming, outgoing, body) {
      const receipt = { accepted: new Set(found(body)).size, duplicate: 0, rejected: [] };
      outgoing.writeHead(200, {
        'Access-Control-Allow-Origin': incoming.headers.origin ?? '*',
        'Access-Control-Allow-Credentials': 'true',
        'Access-Control-Allow-Headers': incoming.headers['access-control-request-headers'] ?? '*',
        'Content-Type': 'application/json',
      });
      outgoing.end(JSON.stringify({ ...receipt, status: 1, success: true, successes: [], errors: [] }));
    },
  };
}

const open = async (page, url, endpoint) => {
  await page.goto(url);
  await page.evaluate((endpoint) => window.start(endpoint), endpoint);
};
const record = (page, markers) =>
  page.evaluate((markers) => {
    for (const marker of markers) window.record(marker);
  }, markers);

/** Does what users do, and comes back to a page of the client that is still, or again, there. */
async function act(action, context, page, markers, visit) {
  if (action === 'offline') {
    await context.setOffline(true);
    await record(page, markers);
    await page.waitForTimeout(1500);
    return context.setOffline(false);
  }
  await record(page, markers);
  if (action === 'navigate') return visit(page);
  if (action === 'crash') {
    const crashed = new Promise((resolve) => page.once('crash', resolve));
    const session = await context.newCDPSession(page);
    session.send('Page.crash').catch(() => {});
    await crashed;
  }
  await page.close();
  return visit(await context.newPage(), true);
}

async function runCell(browser, faults, cell) {
  const { client, action, fault, isSecure, name } = cell;
  const markers = Array.from({ length: N_REACTIONS }, (_, i) => `${name}-marker-${i}`);
  const arrived = [];
  faults.addCell(name, fault).peer = receiver(markers, arrived);
  const host = isSecure ? 'localhost' : 'app.test';
  const endpoint = `http://${host}:${faults.ports[0]}/cell/${name}`;
  const url = `http://${host}:${faults.ports[1]}/${client}.html`;
  const context = await browser.newContext({ userAgent: userAgentOf(browser) });
  try {
    const page = await context.newPage();
    await open(page, url, endpoint);
    const visit = async (last, isLater) => {
      if (isLater && !isSecure) {
        await last.addInitScript((shiftMs) => {
          const now = Date.now.bind(Date);
          Date.now = () => now() + shiftMs;
        }, SHIFT_MS);
      }
      await open(last, url, endpoint);
    };
    await act(action, context, page, markers, visit);
    if (recordsLater) await record(context.pages().at(-1), [`${name}-later`]);
    const untilMs = Date.now() + VISIT_MS;
    while (new Set(arrived).size < N_REACTIONS && Date.now() < untilMs)
      await new Promise((done) => setTimeout(done, 100));
    // What is sent again is seen only if somebody looks.
    await new Promise((done) => setTimeout(done, 2500));
  } finally {
    await context.close();
  }
  const nDelivered = new Set(arrived).size;
  return { ...cell, nDelivered, nRepeated: arrived.length - nDelivered, nLost: N_REACTIONS - nDelivered };
}

/** Clients that leave out robots must take the test for a person. */
const userAgentOf = (browser) =>
  `Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/${browser.version().split('.')[0]}.0.0.0 Safari/537.36`;

async function bundle(client) {
  const { outputFiles } = await build({
    entryPoints: [`clients/${client}.js`],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    define: { 'process.env.NODE_ENV': '"production"' },
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

function versionOf(client) {
  if (client === 'afterword') return JSON.parse(readFileSync('../browser/package.json', 'utf8')).version;
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'));
  return lock.packages[`node_modules/${PACKAGES[client]}`].version;
}

const sum = (cells, name) => cells.reduce((total, cell) => total + cell[name], 0);
const figures = (cells) => ['nDelivered', 'nRepeated', 'nLost'].map((name) => sum(cells, name)).join(' / ');

/** Rows of faults, a column for each client; each cell is the sum over secure and plain pages. */
function table(results, clients) {
  const head = ['page', 'request', ...clients.map((client) => PACKAGES[client])];
  const lines = [head, head.map(() => '---')];
  for (const action of ACTIONS) {
    for (const fault of FAULTS) {
      const cells = results.filter((cell) => cell.action === action && cell.fault === fault);
      lines.push([action, fault, ...clients.map((client) => figures(cells.filter((cell) => cell.client === client)))]);
    }
  }
  lines.push(['**all**', '', ...clients.map((client) => figures(results.filter((cell) => cell.client === client)))]);
  return lines.map((line) => `| ${line.join(' | ')} |`).join('\n');
}

const args = process.argv.slice(2);
const target = args[0] === '--write' ? args.splice(0, 2)[1] : undefined;
const recordsLater = args[0] === '--later' && !!args.shift();
const clients = args.length ? args : Object.keys(PACKAGES);
const executablePath = [process.env.AFTERWORD_CHROMIUM, '/usr/bin/chromium'].find((path) => path && existsSync(path));
const faults = await startFaults();
const browser = await chromium.launch({
  executablePath,
  args: [
    '--no-sandbox',
    '--no-proxy-server',
    '--host-resolver-rules=MAP app.test 127.0.0.1',
    '--disable-blink-features=AutomationControlled',
  ],
});
try {
  const sizes = [];
  for (const client of clients) {
    const text = await bundle(client);
    const nBytes = gzipSync(text, { level: 9 }).length;
    sizes.push(`| ${PACKAGES[client]} ${versionOf(client)} | ${(nBytes / 1000).toFixed(1)} |`);
    faults.world.files.set(`/${client}.js`, { type: 'text/javascript', text });
    const html = `<!doctype html><meta charset="utf-8"><title>page</title><script src="/${client}.js"></script>`;
    faults.world.files.set(`/${client}.html`, { type: 'text/html', text: html });
  }
  const cells = clients.flatMap((client) =>
    ACTIONS.flatMap((action) =>
      FAULTS.flatMap((fault) => [true, false].map((isSecure) => ({ client, action, fault, isSecure }))),
    ),
  );
  const next = cells.map((cell, i) => ({ ...cell, name: `peer${i}` })).values();
  const results = [];
  await Promise.all(
    Array.from({ length: PAGES_AT_ONCE }, async () => {
      for (const cell of next) results.push(await runCell(browser, faults, cell));
    }),
  );
  const text = [
    `Chromium ${browser.version()}, ${N_REACTIONS} reactions in each of ${cells.length / clients.length} cells a client.`,
    `| client | KB after gzip |\n| --- | --- |\n${sizes.join('\n')}`,
    table(results, clients),
  ].join('\n\n');
  console.log(text);
  if (target) {
    const page = readFileSync(target, 'utf8');
    const [before] = page.split('<!-- measured -->');
    writeFileSync(target, `${before}<!-- measured -->\n\n${text}\n`);
  }
} finally {
  await browser.close();
  faults.stop();
}
