// Runs the browser tests. Needs Chromium, the built package and the built service; says loudly what is missing.
import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { runElement } from './element.mjs';
import { startFaults } from './faults.mjs';
import { runGolden } from './golden.mjs';
import { runMatrix, toTable } from './matrix.mjs';
import { REGRESSIONS } from './regressions.mjs';
import { startService } from './service.mjs';

const CHROMIUM = [
  process.env.AFTERWORD_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const SERVICE = process.env.AFTERWORD_BINARY ?? '../../target/debug/afterword';

const executablePath = CHROMIUM.find((path) => path && existsSync(path));
const missing = [
  !executablePath && 'Chromium (apt-get install chromium)',
  !existsSync(SERVICE) && `${SERVICE} (cargo build)`,
];
if (missing.some(Boolean)) {
  console.error(`NOT RUN: the browser tests, for want of ${missing.filter(Boolean).join(' and ')}.`);
  process.exit(0);
}

const faults = await startFaults();
const service = await startService(SERVICE);
faults.world.serviceUrl = service.url;
const args = ['--no-sandbox', '--no-proxy-server', '--host-resolver-rules=MAP app.test 127.0.0.1'];
// Playwright switches the cache of pages off, which is the one place where a page comes back from.
const ignoreDefaultArgs = ['--disable-back-forward-cache'];
const browser = await chromium.launch({ executablePath, args, ignoreDefaultArgs });
try {
  const origins = ['localhost', 'app.test'].flatMap((host) => faults.ports.map((port) => `http://${host}:${port}`));
  const token = await service.publishableKey(origins);
  for (const [name, run] of Object.entries(REGRESSIONS)) {
    const context = await browser.newContext();
    await run({ page: await context.newPage(), context, faults, token, service }).catch((error) => {
      throw new Error(name, { cause: error });
    });
    await context.close();
    console.log(`ok: ${name}`);
  }
  const golden = await browser.newPage();
  await golden.goto(`${origins[0]}/page?o=[]`);
  console.log(`ok: ${await runGolden(golden)} copies tell the lengths of the golden set`);
  await golden.close();
  await runElement(browser, service);

  const startedMs = Date.now();
  const results = await runMatrix(browser, faults, service, token);
  const table = toTable(results);
  console.log(
    `Chromium ${browser.version()}\n\n${table}\n\nthe matrix took ${Math.round((Date.now() - startedMs) / 1000)} s`,
  );
  writeFileSync('build/matrix.md', `${table}\n`);
  for (const one of results) {
    const where = JSON.stringify({ ...one, state: undefined, refused: one.state.refused });
    assert.equal(one.problem, undefined, where);
    assert.deepEqual([one.nLost, one.nDoubleRows, one.state.refused.length], [0, 0, 0], where);
    assert.ok(
      one.state.methods.every((method) => method === 'POST'),
      `a preflight was needed: ${where}`,
    );
  }
} finally {
  await browser.close();
  await service.stop();
  faults.stop();
}
