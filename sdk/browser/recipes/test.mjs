// Runs the recipes before the real service: the route of the AI SDK with a model that is none, the plain page in Chromium.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { simulateReadableStream } from 'ai';
import { MockLanguageModelV3 } from 'ai/test';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { startService } from '../test/browser/service.mjs';

const SERVICE = process.env.AFTERWORD_BINARY ?? '../../../target/debug/afterword';
const CHROMIUM = [process.env.AFTERWORD_CHROMIUM, '/usr/bin/chromium', '/usr/bin/google-chrome'];
if (!existsSync(SERVICE)) {
  console.error(`NOT RUN: the recipes, for want of ${SERVICE} (cargo build).`);
  process.exit(0);
}

/** A model that says one thing, in two pieces. */
function speaker() {
  const usage = { inputTokens: { total: 9 }, outputTokens: { total: 4 } };
  const chunks = [
    { type: 'stream-start', warnings: [] },
    { type: 'response-metadata', modelId: 'mock-model' },
    { type: 'text-start', id: 't' },
    ...['Bergen has more ', 'rain than Oslo.'].map((delta) => ({ type: 'text-delta', id: 't', delta })),
    { type: 'text-end', id: 't' },
    { type: 'finish', finishReason: { unified: 'stop', raw: 'stop' }, usage },
  ];
  return new MockLanguageModelV3({
    doStream: async () => ({
      stream: simulateReadableStream({ chunks, chunkDelayInMs: null, initialDelayInMs: null }),
    }),
  });
}

async function theRouteOfTheAiSdk(service) {
  process.env.AFTERWORD_URL = service.url;
  process.env.AFTERWORD_KEY = service.key;
  mkdirSync('build', { recursive: true });
  const outfile = 'build/route.mjs';
  const alias = { '@afterword/browser/server': '../dist/server.js' };
  const entryPoints = ['vercel-ai-sdk/route.ts'];
  await build({ entryPoints, outfile, bundle: true, alias, external: ['ai', 'node:crypto'], format: 'esm' });
  const { answerWith } = await import('./build/route.mjs');
  const asked = { id: 'm-1', role: 'user', parts: [{ type: 'text', text: 'Where does it rain more?' }] };
  const body = JSON.stringify({ id: 'v-1', messages: [asked] });

  const response = await answerWith(speaker())(new Request('http://app.test/api/chat', { method: 'POST', body }));
  const events = await response.text();

  const shown = /"type":"start","messageId":"([^"]+)"/.exec(events)?.[1];
  assert.ok(shown, events);
  const { status, body: row } = await service.read(`/v1/completions/${shown}`);
  assert.equal(status, 200, 'the id that the page shows is not the completion’s');
  assert.deepEqual([row.model, row.response.content], ['mock-model', 'Bergen has more rain than Oslo.']);
  assert.deepEqual(row.prompt, [{ role: 'user', content: 'Where does it rain more?' }]);
  assert.deepEqual([row.conversation_id, row.finish_reason, row.usage.output_tokens], ['v-1', 'stop', 4]);
}

async function thePlainPage(service) {
  const executablePath = CHROMIUM.find((path) => path && existsSync(path));
  if (!executablePath) return console.error('NOT RUN: the plain page, for want of Chromium.');
  const server = createServer((_, outgoing) => outgoing.setHeader('Content-Type', 'text/html').end(page));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${server.address().port}`;
  const key = await service.publishableKey([origin]);
  const page = readFileSync('plain.html', 'utf8')
    .replaceAll('https://feedback.example', service.url)
    .replace('aw_pub_…', key);
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--no-proxy-server'] });
  try {
    const tab = await browser.newPage();
    await tab.goto(origin);
    await tab.getByRole('button', { name: 'Good' }).click();
    await tab.waitForFunction(() => aw.pending === 0);
    const rows = (await service.rows()).filter(({ signal }) => signal === 'thumb');
    assert.deepEqual([rows.length, rows[0].completion_id, rows[0].value], [1, 'chatcmpl-9f', 'up']);
  } finally {
    await browser.close();
    server.close();
  }
}

const service = await startService(SERVICE);
try {
  for (const recipe of [theRouteOfTheAiSdk, thePlainPage]) {
    await recipe(service);
    console.log(`ok: ${recipe.name}`);
  }
} finally {
  await service.stop();
}
