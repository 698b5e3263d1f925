import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createClient } from '../../src/client.ts';
import { conversation } from '../../src/conversation.ts';
import type { Continuation, Feedback } from '../../src/feedback.ts';
import { hash32, uuidV7 } from '../../src/id.ts';
import { cutTo, nBytesOf, REDACTED, redact, toJson } from '../../src/text.ts';
import { settle, World } from '../world.ts';

test('an id is a UUID of version 7 that sorts by its millisecond', () => {
  const chance = (): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: 16, maxLength: 16 });
  fc.assert(
    fc.property(fc.nat(2 ** 41), fc.integer({ min: 1, max: 1e6 }), chance(), chance(), (ms, later, a, b) => {
      const id = uuidV7(ms, a);
      assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      assert.equal(Number.parseInt(id.replace(/-/g, '').slice(0, 12), 16), ms);
      assert.ok(id < uuidV7(ms + later, b));
    }),
  );
});

test('every signal has its method and its words on the wire', () => {
  const { client } = new World(true).open();
  const seen: Feedback[] = [];
  client.on('feedback', ({ id, occurred_at, session_id, seq, user, supersedes, weight, ...rest }) => seen.push(rest));
  client.preference('a', { against: 'b', outcome: 'better', strength: 2, shownFirst: 'this' });
  client.rating('a', { score: 4, min: 1, max: 5 });
  client.edit('a', 'new', { accepted: true });
  client.regenerate('a', { next: 'b', reason: 'slow' });
  client.continuation('a', { turn: 2, gapMs: 9, next: 'b' });
  client.copy('a', { nChars: 1, nTotalChars: 2, containsCode: false, method: 'button' });
  client.accept('a', { method: 'insert' });
  client.completion('a').impression();
  client.completion('a').dwell(12);
  const completion_id = 'a';
  assert.deepEqual(seen, [
    { signal: 'preference', completion_id, against: 'b', outcome: 'better', strength: 2, shown_first: 'this' },
    { signal: 'rating', completion_id, value: { score: 4, min: 1, max: 5 } },
    { signal: 'edit', completion_id, text: 'new', accepted: true },
    { signal: 'regenerate', completion_id, next_completion_id: 'b', reason: 'slow' },
    { signal: 'continuation', completion_id, turn: 2, gap_ms: 9, next_completion_id: 'b' },
    { signal: 'copy', completion_id, n_chars: 1, n_total_chars: 2, contains_code: false, method: 'button' },
    { signal: 'accept', completion_id, method: 'insert' },
    { signal: 'impression', completion_id },
    { signal: 'dwell', completion_id, visible_ms: 12 },
  ]);
});

test('a cut text is the longest whole beginning, and a cut edit says that it was cut', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.nat(40), (text, nBytes) => {
      const whole = JSON.parse(toJson(text)) as string;
      const cut = cutTo(whole, nBytes);
      assert.ok(whole.startsWith(cut) && nBytesOf(cut) <= nBytes);
      const next = [...whole.slice(cut.length)][0];
      assert.ok(next === undefined || nBytesOf(cut + next) > nBytes);
    }),
  );
  const seen: Feedback[] = [];
  const { client } = new World(true).open();
  client.on('feedback', (item) => seen.push(item));
  client.edit('c-1', '🙂'.repeat(9000));
  client.edit('c-1', 'short');
  assert.deepEqual(
    seen.map((item) => item.signal === 'edit' && [nBytesOf(item.text), item.truncated]),
    [
      [32768, true],
      [5, undefined],
    ],
  );
});

test('what the service cannot store never reaches it, and spoils nothing beside it', async () => {
  const world = new World(true);
  const { client } = world.open();
  client.comment('c-1', 'a\0b\ud83d!\ude42 🙂');
  client.thumb('c-2', 'down', { reasons: ['x\ud83d'] });
  await world.pass(2000);
  const [comment, thumb] = JSON.parse(world.posts[0]!.body).feedback;
  assert.deepEqual([comment.text, thumb.reasons], ['a\ufffdb\ufffd!\ufffd 🙂', ['x\ufffd']]);
});

test('addresses, keys and long numbers are hidden in comments, other words stay', () => {
  const table: [string, string][] = [
    ['mail me: a.b+c@mail.example.org!', 'mail me: [redacted]!'],
    ['card 4111 1111 1111 1111.', 'card [redacted].'],
    ['+49 (0) 170 1234567', '[redacted]'],
    ['sk-abcdefghijklmnop and aw_sec_0123456789abcdef', '[redacted] and [redacted]'],
    ['in 2026 it took 12345 ms at 3.14', 'in 2026 it took 12345 ms at 3.14'],
  ];
  for (const [text, hidden] of table) assert.equal(redact(text, REDACTED), hidden);
  assert.equal(redact('x1 x2', [/x\d/]), '[redacted] [redacted]');
});

test('the hash of names is even, so that a sample of completions has about its rate', () => {
  const ids = Array.from({ length: 20_000 }, (_, i) => `chatcmpl-${i}`);
  for (const rate of [0, 0.01, 0.1, 0.5, 1]) {
    const n = ids.filter((id) => hash32(id) / 2 ** 32 < rate).length;
    // Five standard deviations of a binomial.
    assert.ok(Math.abs(n - 20_000 * rate) <= 5 * Math.sqrt(20_000 * rate * (1 - rate)), `${n} at ${rate}`);
  }
});

test('implicit signals carry the inverse of their rate, explicit ones are never sampled', () => {
  const world = new World(true, { sampleRate: 0.25 });
  const { client } = world.open();
  for (let i = 0; i < 40; i += 1) {
    client.copy(`c-${i}`);
    client.thumb(`c-${i}`, 'up');
  }
  const items = [...world.captured.values()];
  assert.equal(items.filter((item) => item.signal === 'thumb').length, 40);
  const copies = items.filter((item) => item.signal === 'copy');
  assert.ok(copies.length > 0 && copies.length < 30);
  assert.ok(items.every((item) => item.weight === (item.signal === 'copy' ? 4 : undefined)));
});

test('beforeSend sees what would leave, changes it, and takes it out; what it throws hurts nobody', async () => {
  const answers: ((feedback: Feedback) => Feedback | null)[] = [
    (feedback) => ({ ...feedback, completion_id: 'changed' }),
    () => null,
    () => {
      throw new Error('of the host');
    },
  ];
  const world = new World(true, { beforeSend: (feedback) => answers.shift()!(feedback) });
  const { client } = world.open();
  for (let i = 0; i < 3; i += 1) client.comment('c-1', 'to a@b.example');
  await settle();
  const [item] = world.captured.values();
  assert.deepEqual([item?.completion_id, item?.signal === 'comment' && item.text], ['changed', 'to [redacted]']);
  assert.deepEqual(
    world.drops.map((drop) => drop.reason),
    ['before_send', 'before_send'],
  );
});

test('nothing that a host passes makes us throw', async () => {
  const { client } = new World(true).open();
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  const reasons: string[] = [];
  client.on('drop', (drop) => reasons.push(drop.reason));
  client.on('drop', () => {
    throw new Error('of the host');
  });
  for (const bad of [undefined, null, '', 7, 'x'.repeat(257), {}])
    assert.equal(client.thumb(bad as never, 'up'), undefined);
  assert.equal(client.record(undefined as never), undefined);
  assert.equal(client.rating('c-1', cyclic as never), undefined);
  await settle();
  assert.equal(reasons.length, 8);
});

test('a loop is slowed to what a person can do', () => {
  const world = new World(true);
  const { client } = world.open();
  for (let i = 0; i < 150; i += 1) client.thumb(`c-${i}`, 'up');
  assert.equal(world.captured.size, 100);
  world.nowMs += 1000;
  for (let i = 0; i < 50; i += 1) client.thumb(`d-${i}`, 'up');
  assert.equal(world.captured.size, 110);
});

test('a conversation links its turns, and derives a continuation only where it was asked to', () => {
  const world = new World(true);
  const { client } = world.open();
  const seen: unknown[] = [];
  client.on('feedback', (item) => {
    const { signal, completion_id, turn, gap_ms, next_completion_id } = item as Continuation & { id: string };
    seen.push([signal, completion_id, next_completion_id, turn, gap_ms]);
  });
  const realNow = performance.now;
  after(() => Object.assign(performance, { now: realNow }));
  Object.assign(performance, { now: () => world.nowMs });
  const said = conversation(client);
  said.turn('a-1');
  said.turn('a-2');
  world.nowMs += 70;
  said.turn('a-3', 'continuation');
  said.turn('a-4', 'regenerate').thumb('up');
  said.turn('a-5', 'continuation');
  assert.deepEqual(seen.splice(0), [
    ['continuation', 'a-2', 'a-3', 2, 70],
    ['regenerate', 'a-3', 'a-4', undefined, undefined],
    ['thumb', 'a-4', undefined, undefined, undefined],
    ['continuation', 'a-4', 'a-5', 3, 0],
  ]);
  const derived = conversation(client, { continuationWithinMs: 1000 });
  derived.turn('b-1');
  world.nowMs += 999;
  derived.turn('b-2');
  derived.turn('b-2').edit('better');
  derived.turn('b-3');
  client.regenerate('b-3');
  derived.turn('b-4');
  world.nowMs += 1000;
  derived.turn('b-5');
  derived.turn('b-6');
  assert.deepEqual(
    seen.filter((one) => (one as string[])[0] === 'continuation'),
    [
      ['continuation', 'b-1', 'b-2', 1, 999],
      ['continuation', 'b-5', 'b-6', 4, 0],
    ],
  );
});

test('on a server the client takes nothing and does nothing', async () => {
  const client = createClient({ endpoint: 'https://feedback.test', token: 'aw_pub_x' }, undefined);
  assert.equal(client.thumb('c-1', 'up'), undefined);
  assert.equal(conversation(client).turn('c-2', 'continuation').copy(), undefined);
  client.setConsent('denied');
  client.reset();
  assert.deepEqual(await client.flush(), { accepted: 0, duplicate: 0, rejected: 0, pending: 0 });
  await client.shutdown();
});
