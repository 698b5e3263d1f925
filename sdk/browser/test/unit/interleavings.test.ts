// For any interleaving of what users do and what goes wrong: ids at the service = ids captured minus declared drops.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Fault, settle, type Tab, World } from '../world.ts';

type Step =
  | { do: 'capture'; tab: number; isExplicit: boolean }
  | { do: 'pass'; ms: number }
  | { do: 'answer'; fault: Fault }
  | { do: 'kill' | 'navigate' | 'hide' | 'flush' | 'open'; tab: number }
  | { do: 'fill' | 'online'; on: boolean };

const tab = fc.nat(3);
const fault = fc.constantFrom<Fault>(
  'ok',
  'ok',
  '500',
  '429',
  '413',
  'lost_before',
  'lost_after',
  'reject_first',
  'portal',
);
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('capture' as const), tab, isExplicit: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('answer' as const), fault }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(10, 300, 2000, 9000) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constantFrom('kill', 'navigate', 'hide', 'flush', 'open'),
      tab,
    }) as fc.Arbitrary<Step>,
  },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constantFrom('fill', 'online'), on: fc.boolean() }) as fc.Arbitrary<Step>,
  },
);

/** Items of a dying tab that only its memory held: what a crash before the write takes along. */
function onlyInMemory(world: World, tab: Tab): string[] {
  const stored = world.stored();
  const dropped = new Set(world.drops.map((drop) => drop.id));
  const elsewhere = new Set(world.posts.flatMap((post) => post.body.match(/[0-9a-f-]{36}/g) ?? []));
  return tab.captured.filter((id) => !stored.has(id) && !world.rows.has(id) && !dropped.has(id) && !elsewhere.has(id));
}

async function play(world: World, steps: readonly Step[]): Promise<Set<string>> {
  const lost = new Set<string>();
  const die = (tab: Tab): void => {
    // A request under way may arrive or not: whatever is stored nowhere is then in the hands of the network.
    for (const id of world.posts
      .filter((post) => post.tab === tab)
      .flatMap((post) => post.body.match(/[0-9a-f-]{36}/g) ?? [])) {
      if (!world.stored().has(id) && !world.rows.has(id)) lost.add(id);
    }
    for (const id of onlyInMemory(world, tab)) lost.add(id);
  };
  world.open();
  let n = 0;
  for (const step of steps) {
    const tab = 'tab' in step ? world.tabs[step.tab % Math.max(1, world.tabs.length)] : undefined;
    if (step.do === 'capture' && tab) {
      if (step.isExplicit) tab.client.thumb(`c-${n++ % 5}`, 'up', { comment: 'ok' });
      else tab.client.copy(`c-${n++ % 5}`, { nChars: 1, nTotalChars: 2 });
    } else if (step.do === 'pass') await world.pass(step.ms);
    else if (step.do === 'answer') await world.answer(step.fault);
    else if (step.do === 'kill' && tab) {
      die(tab);
      world.kill(tab);
    } else if (step.do === 'navigate' && tab) {
      const { isStorageFull } = world;
      if (isStorageFull) {
        tab.events.hidePage();
        die(tab);
      }
      world.navigate(tab);
    } else if (step.do === 'hide' && tab) tab.events.hidePage();
    else if (step.do === 'flush' && tab) void tab.client.flush();
    else if (step.do === 'open' && world.tabs.length < 4) world.open();
    else if (step.do === 'fill') {
      world.isStorageFull = step.on;
      world.wasStorageFull ||= step.on;
    } else if (step.do === 'online') world.isOnline = step.on;
    await settle();
  }
  return lost;
}

/** Everything works again, and somebody opens the page. */
async function recover(world: World): Promise<void> {
  world.isStorageFull = false;
  world.isOnline = true;
  while (world.posts.length) await world.answer('ok');
  await world.pass(31 * 60_000);
  for (let round = 0; round < 3; round += 1) {
    const last = world.open();
    last.events.showPage();
    for (const tab of world.tabs) tab.events.showPage();
    for (let i = 0; i < 40; i += 1) {
      await world.pass(15_000);
      while (world.posts.length) await world.answer('ok');
    }
  }
}

for (const hasLocks of [true, false]) {
  const where = hasLocks ? 'with Web Locks' : 'on plain HTTP';
  test(`what arrives is what was captured, less what was declared as dropped, ${where}`, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const world = new World(hasLocks, { batchSize: 4, maxQueue: 12 });
        const lost = await play(world, steps);
        await recover(world);
        const dropped = new Set(world.drops.map((drop) => drop.id));
        assert.equal(world.n_conflicts, 0, 'a retry had other content than the first send');
        for (const [id, item] of world.captured) {
          const isKnown = world.rows.has(id) || dropped.has(id) || lost.has(id);
          assert.ok(isKnown, `${item.signal} ${id} vanished`);
          if (lost.has(id) && item.signal === 'thumb') assert.ok(world.wasStorageFull, 'a stored thumb was lost');
        }
        for (const id of world.rows.keys()) assert.ok(world.captured.has(id), `nobody captured ${id}`);
        assert.equal(world.stored().size, 0, 'something is still stored');
        for (const tab of world.tabs) assert.equal(tab.client.pending, 0, 'something still waits');
      }),
      { numRuns: 400 },
    );
  });
}
