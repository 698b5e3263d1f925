import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AfterwordOptions, Events } from '../../src/options.ts';
import { FakeStorage, settle, type Tab, World } from '../world.ts';

const itemsOf = (body: string): { id: string; completion_id: string; signal: string; user?: string }[] =>
  JSON.parse(body).feedback;
const signalsOf = (body: string): string[] => itemsOf(body).map((item) => item.signal);
const started = (options: Partial<AfterwordOptions> = {}, hasLocks = true): { world: World; tab: Tab } => {
  const world = new World(hasLocks, options);
  return { world, tab: world.open() };
};
/** A feedback token as the service mints it, for the claims that a page reads. */
const tokenOf = (sub: string, lifeS = 900): string =>
  `h.${Buffer.from(JSON.stringify({ sub, iat: 1000, exp: 1000 + lifeS })).toString('base64url')}.s`;

test('the envelope is the wire of the service, and age_ms is measured at the send', async () => {
  const { world, tab } = started({ user: 'u-1' });
  const id = tab.client.thumb('c-1', 'down', { reasons: ['wrong'], comment: 'no' });
  await world.pass(2000);
  const { token, v, sdk, sent_at, feedback } = JSON.parse(world.posts[0]!.body);
  assert.deepEqual([v, token, sdk, sent_at], [1, 'aw_pub_x', 'js/0.1.0', '2026-01-31T00:00:02.000Z']);
  const session_id = tab.client.sessionId;
  assert.deepEqual(feedback, [
    {
      signal: 'thumb',
      completion_id: 'c-1',
      value: 'down',
      reasons: ['wrong'],
      comment: 'no',
      id,
      occurred_at: '2026-01-31T00:00:00.000Z',
      session_id,
      seq: 0,
      user: 'u-1',
      age_ms: 2000,
    },
  ]);
});

test('a changed thumb supersedes the one before it, and a cleared one, too', async () => {
  const { world, tab } = started();
  const ids = (['up', 'down', 'none'] as const).map((value) => tab.client.thumb('c-1', value));
  await world.pass(2000);
  const supersedes = JSON.parse(world.posts[0]!.body).feedback.map((item: { supersedes?: string }) => item.supersedes);
  assert.deepEqual(supersedes, [undefined, ids[0], ids[1]]);
});

test('no id is twice under way, however often a flush is asked for', async () => {
  const { world, tab } = started();
  tab.client.thumb('c-1', 'up');
  void tab.client.flush();
  void tab.client.flush();
  tab.events.hidePage();
  await settle();
  tab.events.hidePage();
  await settle();
  const ids = world.posts.flatMap((post) => itemsOf(post.body).map((item) => item.id));
  assert.equal(new Set(ids).size, ids.length);
});

test('hidden is an ordinary flush: batching goes on when the page is shown again', async () => {
  const { world, tab } = started();
  tab.client.thumb('c-1', 'up');
  tab.events.hidePage();
  await settle();
  await world.answer('ok');
  tab.events.showPage();
  tab.client.thumb('c-2', 'up');
  await world.pass(2000);
  assert.deepEqual(
    itemsOf(world.posts[0]!.body).map((item) => item.completion_id),
    ['c-2'],
  );
});

test('at the exit explicit signals go first, within the bytes that a page may send', async () => {
  const { world, tab } = started({ batchSize: 50 });
  for (let i = 0; i < 5; i += 1) tab.client.copy(`c-${i}`, { nChars: 1 });
  for (let i = 0; i < 5; i += 1) tab.client.comment(`c-${i}`, 'x'.repeat(15_000));
  tab.events.hidePage();
  await settle();
  const sent = world.posts.reduce((sum, post) => sum + post.body.length, 0);
  assert.ok(sent <= 64 * 1024, `${sent} bytes`);
  assert.deepEqual([...new Set(signalsOf(world.posts[0]!.body))], ['comment']);
});

test('Retry-After holds the whole queue, also at the exit, and no longer', async () => {
  const { world, tab } = started();
  tab.client.thumb('c-1', 'up');
  await world.pass(2000);
  await world.answer('429');
  tab.client.thumb('c-2', 'up');
  tab.events.hidePage();
  await world.pass(6900);
  assert.equal(world.posts.length, 0);
  tab.events.showPage();
  await world.pass(2100);
  assert.equal(itemsOf(world.posts[0]!.body).length, 2);
});

test('a 413 halves the batch until a single item is dropped as too large', async () => {
  const { world, tab } = started();
  for (let i = 0; i < 4; i += 1) tab.client.thumb(`c-${i}`, 'up');
  void tab.client.flush();
  await settle();
  const sizes: number[] = [];
  while (world.posts.length) {
    sizes.push(itemsOf(world.posts[0]!.body).length);
    await world.answer('413');
  }
  assert.deepEqual(sizes, [4, 2, 1, 1, 1, 1]);
  assert.deepEqual([...new Set(world.drops.map((drop) => `${drop.reason} ${drop.code}`))], ['rejected body_too_large']);
});

test('one refused item is told by its code, and the others are stored', async () => {
  const { world, tab } = started();
  const sent: Events['sent'][] = [];
  tab.client.on('sent', (detail) => sent.push(detail));
  const [first] = [tab.client.thumb('c-1', 'up'), tab.client.thumb('c-2', 'up')];
  const flushed = tab.client.flush();
  await settle();
  await world.answer('reject_first');
  assert.deepEqual(await flushed, { accepted: 1, duplicate: 0, rejected: 1, pending: 0 });
  assert.deepEqual(world.drops, [
    { reason: 'rejected', code: 'conflict', id: first, completionId: 'c-1', signal: 'thumb' },
  ]);
  assert.deepEqual(sent, [{ accepted: 1, duplicate: 0, rejected: 1 }]);
});

test('the token is asked for once by all who need it, again after a 401, and a second 401 keeps the items', async () => {
  let nAsked = 0;
  const errors: string[] = [];
  const wanted: string[][] = [];
  const { world, tab } = started({
    token: async ({ completionIds }) => {
      nAsked += 1;
      wanted.push(completionIds);
      return tokenOf('u-1');
    },
  });
  tab.client.on('error', (error) => errors.push(error.code));
  tab.client.thumb('c-1', 'up');
  await settle();
  void tab.client.flush();
  await settle();
  assert.equal(nAsked, 1);
  for (let i = 0; i < 2; i += 1) {
    world.posts.shift()!.answer({ status: 401, text: '{"code":"credential_invalid"}', retryAfter: null });
    await settle();
  }
  assert.equal(nAsked, 2);
  assert.deepEqual(wanted.at(-1), ['c-1']);
  assert.deepEqual(errors, ['auth']);
  assert.equal(tab.client.pending, 1);
  await world.pass(5000);
  await world.answer('ok');
  assert.equal(world.rows.size, 1);
});

test("a token that comes after the host has named another source is nobody's", async () => {
  let bring = (_token: string): void => {};
  const { world, tab } = started({ token: () => new Promise((resolve) => (bring = resolve)) });
  await settle();
  tab.client.setToken(async () => tokenOf('u-2'));
  bring(tokenOf('u-1'));
  await settle();
  tab.client.thumb('c-1', 'up');
  await world.pass(2000);
  assert.deepEqual(
    world.posts.map((post) => JSON.parse(post.body).token),
    [tokenOf('u-2')],
  );
  const next = world.navigate(tab);
  next.client.setToken(async () => tokenOf('u-1'));
  await world.pass(2000);
  assert.equal(next.client.pending, 0);
});

test('an item that the token does not name gets one that was asked for with its completion, then it is dropped', async () => {
  const { world, tab } = started({ token: async () => tokenOf('u-1') });
  tab.client.thumb('c-1', 'up');
  await settle();
  void tab.client.flush();
  await settle();
  const refuse = async (): Promise<void> => {
    const rejected = [{ index: 0, code: 'completion_not_granted' }];
    world.posts
      .shift()!
      .answer({ status: 422, text: JSON.stringify({ code: 'completion_not_granted', rejected }), retryAfter: null });
    await settle();
  };
  await refuse();
  assert.equal(world.drops.length, 0);
  await refuse();
  assert.deepEqual(
    world.drops.map((drop) => drop.code),
    ['completion_not_granted'],
  );
});

test('nobody sends the reactions of somebody else: a queue waits for its own subject', async () => {
  let user = 'u-1';
  const { world, tab } = started({ token: async () => tokenOf(user) });
  await settle();
  tab.client.comment('c-1', 'of u-1');
  user = 'u-2';
  const other = world.navigate(tab);
  await settle();
  world.posts.length = 0;
  other.client.comment('c-2', 'of u-2');
  await world.pass(2000);
  assert.deepEqual(
    world.posts.flatMap((post) => itemsOf(post.body).map((item) => item.completion_id)),
    ['c-2'],
  );
  await world.answer('ok');
  user = 'u-1';
  world.navigate(other);
  await world.pass(2000);
  assert.deepEqual(
    world.posts.flatMap((post) => itemsOf(post.body).map((item) => item.completion_id)),
    ['c-1'],
  );
});

test('reset wipes what waits here and in the other tabs, and forgets the user', async () => {
  const { world, tab } = started({ user: 'u-1' });
  tab.client.comment('c-1', 'private');
  const other = world.open();
  other.client.comment('c-2', 'private, too');
  const session = tab.client.sessionId;
  tab.client.reset();
  const key = Object.keys(world.local);
  assert.deepEqual(key, []);
  await settle();
  assert.equal(world.drops[0]?.reason, 'reset');
  assert.notEqual(tab.client.sessionId, session);
  tab.client.thumb('c-3', 'up');
  await world.pass(2000);
  assert.equal(itemsOf(world.posts.find((post) => post.tab === tab)!.body)[0]?.user, undefined);
});

test('without consent nothing is stored or sent; once it is given, what waited goes', async () => {
  const { world, tab } = started({ consent: 'pending' });
  tab.client.thumb('c-1', 'up');
  await world.pass(10_000);
  assert.deepEqual([Object.keys(world.local), Object.keys(tab.session), world.posts.length], [[], [], 0]);
  tab.client.setConsent('granted');
  await world.pass(2000);
  assert.equal(world.posts.length, 1);
  tab.client.setConsent('denied');
  assert.equal(tab.client.thumb('c-2', 'up'), undefined);
  assert.deepEqual([Object.keys(world.local), Object.keys(tab.session)], [[], []]);
  assert.ok(world.drops.every((drop) => drop.reason === 'consent'));
});

test('an adopted queue is removed only after it is written under the new name', () => {
  const { world, tab } = started();
  const id = tab.client.thumb('c-1', 'up') as string;
  world.kill(tab);
  world.isStorageFull = true;
  world.open();
  assert.ok(world.stored().has(id));
});

test('on plain HTTP the next page of a tab takes its queue at once, another tab after half an hour', async () => {
  const { world, tab } = started({ token: () => new Promise(() => {}), user: 'u-1' }, false);
  tab.client.thumb('c-1', 'up');
  const next = world.navigate(tab);
  assert.equal(next.client.pending, 1);
  world.kill(next);
  const other = world.open();
  assert.equal(other.client.pending, 0);
  await world.pass(30 * 60_000 + 1);
  other.events.showPage();
  assert.equal(other.client.pending, 1);
});

test('a page that was left writes nothing over the queue of the page after it', async () => {
  const { world, tab } = started();
  tab.client.thumb('c-1', 'up');
  tab.events.hidePage();
  tab.events.leavePage();
  const session = tab.session;
  const next = world.open(session);
  const id = next.client.thumb('c-2', 'up') as string;
  await world.answer('ok');
  assert.ok(world.stored().has(id));
});

test('what is older than its age goes, and says so, whoever captured it', async () => {
  const { world, tab } = started({ user: 'u-1' });
  const id = tab.client.thumb('c-1', 'up');
  world.kill(tab);
  world.nowMs += 8 * 86_400_000;
  world.options.user = 'u-2';
  world.open();
  await settle();
  assert.deepEqual(
    world.drops.map((drop) => [drop.reason, drop.id]),
    [['expired', id]],
  );
  assert.deepEqual(Object.keys(world.local), []);
});

test('a full queue gives up the oldest implicit signals first', async () => {
  const { world, tab } = started({ maxQueue: 3, token: () => new Promise(() => {}) });
  tab.client.thumb('c-1', 'up');
  tab.client.copy('c-2');
  tab.client.copy('c-3');
  tab.client.thumb('c-4', 'up');
  tab.client.thumb('c-5', 'up');
  tab.client.thumb('c-6', 'up');
  await settle();
  assert.deepEqual(
    world.drops.map((drop) => [drop.completionId, drop.reason]),
    [
      ['c-2', 'queue_full'],
      ['c-3', 'queue_full'],
      ['c-1', 'queue_full'],
    ],
  );
});

test('rubbish in the storage is no queue and hurts nothing', () => {
  const world = new World(true);
  const probe = world.open();
  probe.client.thumb('c-1', 'up');
  const prefix = Object.keys(world.local)[0]!.replace(/:[^:]*$/, '');
  world.kill(probe);
  for (const [i, text] of ['', 'null', '[]', '{"items":7}', '{"at":1,"items":[null,{}]}', '{'].entries()) {
    world.local.setItem(`${prefix}:t${i}`, text);
  }
  const session = new FakeStorage();
  assert.equal(world.open(session).client.pending, 1);
});
