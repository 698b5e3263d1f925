import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs, createBudget, parseRetryAfter } from '../../src/backoff.ts';
import { type Item, isExplicit } from '../../src/feedback.ts';
import { createQueue, type Entry, toEntry } from '../../src/queue.ts';
import { createTokens } from '../../src/token.ts';
import { judge } from '../../src/verdict.ts';

test('a wait has equal jitter between half of its exponential and all of it, up to two minutes', () => {
  for (const [nFailures, low, high] of [
    [0, 500, 1000],
    [3, 4000, 8000],
    [7, 60_000, 120_000],
    [99, 60_000, 120_000],
  ] as const) {
    assert.deepEqual([backoffMs(nFailures, 0), backoffMs(nFailures, 1)], [low, high]);
  }
});

test('Retry-After is read as seconds or as a date, and is never longer than five minutes', () => {
  const nowMs = Date.UTC(2026, 0, 31, 12);
  const table: [string | null, number | undefined][] = [
    ['7', 7000],
    [' 0 ', 0],
    ['9999', 300_000],
    ['Sat, 31 Jan 2026 12:00:30 GMT', 30_000],
    ['Sat, 31 Jan 2026 11:00:00 GMT', undefined],
    ['soon', undefined],
    ['-1', undefined],
    ['', undefined],
    [null, undefined],
  ];
  for (const [value, waitMs] of table) assert.equal(parseRetryAfter(value, nowMs), waitMs, String(value));
});

test('the bytes under way never exceed the budget, and all of it comes back', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.nat(40_000), fc.constant('give' as const))), (steps) => {
      const budget = createBudget();
      const taken: number[] = [];
      for (const step of steps) {
        if (step === 'give') {
          const nBytes = taken.shift();
          if (nBytes !== undefined) budget.give(nBytes);
        } else if (budget.take(step)) taken.push(step);
        assert.ok(taken.reduce((sum, n) => sum + n, 0) <= 60_000 && taken.length < 15);
      }
      for (const nBytes of taken) budget.give(nBytes);
      assert.ok(budget.take(60_000));
    }),
  );
});

const entries = fc.array(
  fc.record({ id: fc.nat(30), signal: fc.constantFrom('thumb', 'copy'), nBytes: fc.integer({ min: 1, max: 50 }) }),
);
const toEntries = (made: { id: number; signal: string; nBytes: number }[]): Entry[] =>
  made.map(({ id, signal, nBytes }) => ({
    ...toEntry({ id: `i-${id}`, signal, occurred_at: '2026-01-31T00:00:00Z' } as Item),
    nBytes,
    isBusy: id === 0,
  }));

test('a queue keeps its caps, holds each id once, loses nothing silently, and spares what is under way', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 10 }), fc.integer({ min: 60, max: 200 }), (made, nItems, nBytes) => {
      const queue = createQueue({ nItems, nBytes });
      const gone: string[] = [];
      const seen = new Set<string>();
      for (const entry of toEntries(made)) {
        if (gone.includes(entry.captured.id)) continue;
        seen.add(entry.captured.id);
        gone.push(...queue.add([entry]).map((one) => one.captured.id));
        const sum = queue.all().reduce((total, one) => total + one.nBytes, 0);
        assert.ok(queue.all().length <= nItems && sum <= nBytes);
      }
      const left = queue.all().map((one) => one.captured.id);
      assert.deepEqual(new Set([...left, ...gone]), seen);
      assert.equal(left.length + gone.length, seen.size);
      assert.ok(!gone.includes('i-0'));
    }),
  );
});

test('a batch is within its bounds, has explicit signals first, and is never empty while something waits', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 120 }), (made, nItems, nBytes) => {
      const queue = createQueue({ nItems: 1000, nBytes: 1e6 });
      const waiting = toEntries(made).filter((entry) => !entry.isBusy);
      queue.add(toEntries(made));
      const batch = queue.take(nItems, nBytes);
      assert.equal(batch.length > 0, waiting.length > 0);
      assert.ok(batch.every((one) => !one.isBusy));
      assert.ok(batch.length <= nItems);
      if (batch.length > 1) assert.ok(batch.reduce((sum, one) => sum + one.nBytes, 0) <= nBytes);
      const ranks = batch.map((one) => Number(isExplicit(one.captured.signal)));
      assert.deepEqual(
        ranks,
        [...ranks].sort((a, b) => b - a),
      );
    }),
  );
});

test('only the words of the service end an item', () => {
  const receipt = '{"accepted":2,"duplicate":0,"rejected":[]}';
  const mixed = '{"accepted":1,"duplicate":0,"rejected":[{"index":1,"id":"x","code":"conflict","detail":"…"}]}';
  const table: [number, string, string][] = [
    [200, receipt, 'settled'],
    [207, mixed, 'settled'],
    [422, '{"code":"conflict","rejected":[{"index":0,"code":"conflict"},{"index":1,"code":"conflict"}]}', 'settled'],
    [403, '{"code":"origin_not_allowed","retryable":false}', 'settled'],
    [410, '{"code":"erased","rejected":[]}', 'settled'],
    [400, '{"code":"json_malformed","retryable":false}', 'split'],
    [413, '', 'split'],
    [401, '', 'auth'],
    [200, '<html>log in</html>', 'keep'],
    [204, '', 'keep'],
    [302, '', 'keep'],
    [404, '<html>no such page</html>', 'keep'],
    [403, 'blocked', 'keep'],
    [408, '{"code":"body_too_slow","retryable":true}', 'keep'],
    [429, '{"code":"quota_exceeded","retryable":true}', 'keep'],
    [500, '{"code":"internal_error","retryable":false}', 'keep'],
    [503, '{"code":"busy","retryable":true}', 'keep'],
  ];
  for (const [status, text, kind] of table) {
    assert.equal(judge({ status, text, retryAfter: null }, 2, 0).kind, kind, `${status} ${text}`);
  }
  const refused = judge({ status: 403, text: '{"code":"origin_not_allowed"}', retryAfter: null }, 2, 0);
  assert.deepEqual(
    refused.kind === 'settled' && refused.rejected.map((one) => one.code),
    Array(2).fill('origin_not_allowed'),
  );
});

test('the life of a token is counted from its arrival, less a margin, by a clock that nobody sets', async () => {
  let monoMs = 0;
  let nAsked = 0;
  const claims = Buffer.from(JSON.stringify({ sub: 'ü-1', iat: 5, exp: 905 })).toString('base64url');
  const ask = async (): Promise<string> => `h${(nAsked += 1)}.${claims}.s`;
  const tokens = createTokens(
    ask,
    () => monoMs,
    () => [],
  );
  assert.equal(tokens.inHand(), undefined);
  await Promise.all([tokens.get(), tokens.get()]);
  assert.equal(nAsked, 1);
  monoMs = 869_999;
  assert.ok(tokens.inHand());
  monoMs = 870_000;
  assert.equal(tokens.inHand(), undefined);
  await tokens.get();
  assert.equal(nAsked, 2);
});

test('the sources name nothing that loses data, blocks the cache of pages or breaks a strict policy', () => {
  const BANNED =
    /\b(beforeunload|unload|innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval|lookbehind)\b|\(\?<[!=]/;
  // Pages on plain HTTP have none; a backend does.
  const BANNED_IN_PAGES = /\brandomUUID\b/;
  const files = readdirSync('src', { recursive: true }).map(String);
  for (const file of files.filter((name) => /\.(ts|css)$/.test(name))) {
    const lines = readFileSync(`src/${file}`, 'utf8')
      .split('\n')
      .filter((line) => !/^\s*(\*|\/\/|\/\*)/.test(line));
    for (const line of lines) {
      assert.doesNotMatch(line, BANNED, file);
      if (file !== 'server.ts') assert.doesNotMatch(line, BANNED_IN_PAGES, file);
    }
    assert.ok(lines.length < 500, `${file} is long`);
  }
});
