import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { backoffMs, parseRetryAfter } from '../../src/backoff.ts';
import type { DropOne } from '../../src/client.ts';
import { type Item, isExplicit } from '../../src/feedback.ts';
import { createOutbox } from '../../src/outbox.ts';
import type { Platform } from '../../src/platform.ts';
import { type Entry, nBytesIn, nextBatch, toEntry } from '../../src/queue.ts';
import { claimsOf, endOf } from '../../src/token.ts';
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
    fc.property(
      entries,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 60, max: 200 }),
      (made, maxQueue, maxBytes) => {
        const gone: string[] = [];
        const seen = new Set<string>();
        const drop: DropOne = ({ id }, reason) => void (reason === 'queue_full' && gone.push(id!));
        const outbox = createOutbox(
          { endpoint: '', token: '', maxQueue, maxBytes },
          { afterMs: () => 1 } as unknown as Platform,
          () => {},
          drop,
          () => false,
          () => {},
        );
        for (const entry of toEntries(made)) {
          if (gone.includes(entry.captured.id)) continue;
          seen.add(entry.captured.id);
          outbox.keep(entry);
          assert.ok(outbox.entriesNow().length <= maxQueue && nBytesIn(outbox.entriesNow()) <= maxBytes);
        }
        const left = outbox.entriesNow().map((one) => one.captured.id);
        assert.deepEqual(new Set([...left, ...gone]), seen);
        assert.equal(left.length + gone.length, seen.size);
        assert.ok(!gone.includes('i-0'));
      },
    ),
  );
});

test('a batch is within its bounds, has explicit signals first, and is never empty while something waits', () => {
  fc.assert(
    fc.property(entries, fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 120 }), (made, nItems, nBytes) => {
      const queue = toEntries(made);
      const batch = nextBatch(queue, nItems, nBytes);
      assert.equal(
        batch.length > 0,
        queue.some((entry) => !entry.isBusy),
      );
      assert.ok(batch.every((one) => !one.isBusy));
      assert.ok(batch.length <= nItems);
      if (batch.length > 1) assert.ok(nBytesIn(batch) <= nBytes);
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
    [401, '', 'keep'],
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
    const { isTooMuch, isDecided } = judge({ status, text, retryAfter: null }, 2, 0);
    assert.equal(isTooMuch ? 'split' : isDecided ? 'settled' : 'keep', kind, `${status} ${text}`);
  }
  const refused = judge({ status: 403, text: '{"code":"origin_not_allowed"}', retryAfter: null }, 2, 0);
  assert.equal(refused.refusal, 'origin_not_allowed');
  const spoiled = judge({ status: 400, text: '{"code":"json_malformed"}', retryAfter: null }, 1, 0);
  assert.deepEqual([spoiled.isTooMuch, spoiled.refusal], [false, 'json_malformed']);
});

test('the life of a token is counted from its arrival, less a margin, and has no end where none is named', () => {
  const tokenOf = (claims: object): string => `h.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.s`;
  assert.equal(endOf(tokenOf({ sub: 'ü-1', iat: 5, exp: 905 }), 1000), 871_000);
  assert.equal(endOf(tokenOf({ iat: 5, exp: 45 }), 1000), 21_000);
  assert.ok(Number.isNaN(endOf('aw_pub_x', 1000)));
  assert.equal(claimsOf(tokenOf({ sub: 'ü-1🙂' })).sub, 'ü-1🙂');
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
