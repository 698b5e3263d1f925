// Pages on which other clients lost data or broke their host.
import assert from 'node:assert/strict';
import { runGolden } from './golden.mjs';

const optionsOf = (faults, name, token, x = {}) => ({
  endpoint: `http://localhost:${faults.ports[0]}/cell/${name}`,
  token,
  flushIntervalMs: 200,
  ...x,
});
const pageUrl = (faults, options) =>
  `http://localhost:${faults.ports[1]}/page?o=${encodeURIComponent(JSON.stringify(options))}`;
const storedOnce = (cell) => new Set(cell.stored).size === cell.stored.length;

/** Each takes a fresh page; the name says what must hold. */
export const REGRESSIONS = {
  async 'a loop of flushes and comments of 15 KB delivers all of it'({ page, faults, token }) {
    const cell = faults.addCell('loop', 'ok');
    await page.goto(pageUrl(faults, [optionsOf(faults, 'loop', token)]));
    const left = await page.evaluate(async () => {
      const [aw] = clients;
      for (let i = 0; i < 12; i += 1) {
        aw.comment(`loop-${i}`, 'x'.repeat(15_000));
        await aw.flush();
      }
      return aw.pending;
    });
    assert.deepEqual([left, cell.stored.length], [0, 12]);
  },
  async 'two clients of a page share one budget of bytes'({ page, faults, token }) {
    const cells = ['both-a', 'both-b'].map((name) => faults.addCell(name, 'ok'));
    await page.goto(
      pageUrl(
        faults,
        ['both-a', 'both-b'].map((name) => optionsOf(faults, name, token)),
      ),
    );
    const left = await page.evaluate(async () => {
      for (const [i, aw] of clients.entries())
        for (let j = 0; j < 9; j += 1) aw.comment(`both-${i}-${j}`, 'x'.repeat(15_000));
      await Promise.all(clients.map((aw) => aw.flush()));
      return clients.map((aw) => aw.pending);
    });
    assert.deepEqual(left, [0, 0]);
    for (const cell of cells) assert.ok(cell.stored.length === 9 && storedOnce(cell));
  },
  async 'a storage that is full or throws costs nothing while the page lives'({ page, faults, token }) {
    const cell = faults.addCell('full', '500');
    await page.addInitScript(() => {
      Storage.prototype.setItem = () => {
        throw new DOMException('full', 'QuotaExceededError');
      };
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'full', token)]));
    await page.evaluate(() => clients[0].thumb('full-0', 'up'));
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 20_000 });
    assert.equal(cell.stored.length, 1);
  },
  async 'a page comes back from the cache of pages and goes on'({ page, faults, token }) {
    const cell = faults.addCell('cache', 'ok');
    await page.goto(pageUrl(faults, [optionsOf(faults, 'cache', token)]));
    await page.evaluate(() => {
      window.isSame = true;
      clients[0].thumb('cache-0', 'up');
    });
    await page.goto(`http://localhost:${faults.ports[1]}/page?o=[]`);
    // A page from the cache loads nothing, so that there is no event of it to wait for.
    await page.goBack({ waitUntil: 'commit' });
    await page.waitForFunction(() => document.visibilityState === 'visible');
    assert.equal(await page.evaluate(() => window.isSame), true, 'the page was not kept: something of ours forbids it');
    await page.evaluate(() => clients[0].thumb('cache-1', 'up'));
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 10_000 });
    assert.equal(new Set(cell.stored).size, 2);
  },
  async 'eight tabs close, and the ninth delivers what each of them left'({ page, faults, token, context }) {
    const cell = faults.addCell('tabs', 'ok');
    await context.setOffline(true).catch(() => {});
    await context.setOffline(false);
    const options = [optionsOf(faults, 'tabs', token, { flushIntervalMs: 60_000 })];
    const ids = [];
    cell.nFaultsLeft = 8;
    cell.fault = 'reset before commit';
    for (let i = 0; i < 8; i += 1) {
      const tab = await context.newPage();
      await tab.goto(pageUrl(faults, options));
      ids.push(await tab.evaluate((i) => clients[0].thumb(`tabs-${i}`, 'up'), i));
      await tab.close();
    }
    cell.nFaultsLeft = 0;
    await page.goto(pageUrl(faults, [optionsOf(faults, 'tabs', token)]));
    await page.waitForFunction(
      () => clients[0].pending === 0 && !Object.keys(localStorage).some((key) => key.startsWith('afterword:')),
      undefined,
      { timeout: 15_000 },
    );
    assert.deepEqual(new Set(cell.stored), new Set(ids));
  },
  async 'a strict policy with Trusted Types has nothing to complain of'({ page, faults, token }) {
    const cell = faults.addCell('csp', 'ok');
    const policy = `default-src 'none'; script-src 'self'; connect-src http://localhost:${faults.ports[0]}; require-trusted-types-for 'script'; trusted-types 'none'`;
    faults.world.pageHeaders = { 'Content-Security-Policy': policy };
    const complaints = [];
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(pageUrl(faults, [optionsOf(faults, 'csp', token)]));
    faults.world.pageHeaders = {};
    await page.evaluate(() => {
      afterword.observe(clients[0]);
      clients[0].thumb('csp-0', 'up');
    });
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 10_000 });
    assert.deepEqual([complaints.filter((text) => !/favicon/.test(text)), cell.stored.length], [[], 1]);
  },
  async 'a page asks for a token that names what an earlier page left'({ page, faults, token, service }) {
    const cell = faults.addCell('token', 'reset before commit');
    const minted = [];
    await page.exposeFunction('mint', (completionIds) => {
      minted.push(completionIds);
      return service.mint('u-1', completionIds.length ? completionIds : ['token-of-no-answer']);
    });
    const open = () => page.goto(pageUrl(faults, [optionsOf(faults, 'token-unused', token)]));
    const start = (endpoint) => {
      const source = ({ completionIds }) => window.mint(completionIds);
      window.aw = afterword.createAfterword({ endpoint, token: source, user: 'u-1', flushIntervalMs: 200 });
    };
    const { endpoint } = optionsOf(faults, 'token', token);
    await open();
    await page.evaluate(start, endpoint);
    await page.evaluate(() => aw.thumb('token-0', 'up'));
    cell.nFaultsLeft = 1;
    await open();
    await page.evaluate(start, endpoint);
    await page.evaluate(() => aw.thumb('token-1', 'up'));
    await page.waitForFunction(() => aw.pending === 0, undefined, { timeout: 20_000 });
    const rows = (await service.rows()).filter((row) => /^token-[01]$/.test(row.completion_id));
    assert.deepEqual(
      new Set(rows.map((row) => `${row.completion_id} ${row.user} ${row.trust}`)),
      new Set(['token-0 u-1 verified', 'token-1 u-1 verified']),
    );
    assert.ok(
      minted.some((ids) => ids.includes('token-0')),
      JSON.stringify(minted),
    );
  },
  async 'what is in view is told once, how long when the page is left, and nothing of what is not'({
    page,
    faults,
    token,
  }) {
    faults.addCell('view', 'ok');
    await page.goto(pageUrl(faults, [optionsOf(faults, 'view', token)]));
    await page.evaluate(() => {
      window.told = [];
      clients[0].on('feedback', ({ signal, completion_id, visible_ms }) =>
        told.push({ signal, completion_id, visible_ms }),
      );
      afterword.observe(clients[0], { dwell: { minMs: 100 } });
      const add = (id, height) => {
        const answer = document.createElement('div');
        answer.style.height = height;
        answer.dataset.completionId = id;
        document.body.append(answer);
      };
      add('short', '50px');
      add('longer than two windows', '300vh');
      add('below', '50px');
    });
    await page.waitForFunction(() => told.length >= 2);
    await page.waitForTimeout(300);
    await page.evaluate(() => window.dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
    const told = await page.evaluate(() => window.told);
    const tell = ({ signal, completion_id }) => `${signal} ${completion_id}`;
    const answers = ['short', 'longer than two windows'];
    const wanted = ['impression', 'dwell'].flatMap((signal) => answers.map((id) => `${signal} ${id}`));
    assert.deepEqual(told.map(tell), wanted);
    for (const one of told.slice(2)) assert.ok(one.visible_ms >= 250 && one.visible_ms < 20_000, JSON.stringify(one));
  },
  async 'five edits of 30 KB at the exit, and one of 100 KB that is cut, arrive without a body that is too large'({
    page,
    faults,
    token,
  }) {
    const cell = faults.addCell('large', 'ok');
    const url = pageUrl(faults, [optionsOf(faults, 'large', token)]);
    await page.goto(url);
    const ids = await page.evaluate(() =>
      [30_000, 30_000, 30_000, 30_000, 30_000, 100_000].map((n, i) => clients[0].edit(`large-${i}`, 'x'.repeat(n))),
    );
    await page.goto(url);
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 20_000 });
    assert.deepEqual([new Set(cell.stored), cell.refused], [new Set(ids), []]);
  },
  async 'a fetch that throws at the call hurts nobody: a beacon goes out, and the item stays until it is known'({
    page,
    faults,
    token,
  }) {
    const cell = faults.addCell('wrapped', 'ok');
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.addInitScript(() => {
      const real = window.fetch;
      window.isBroken = true;
      window.fetch = (...args) => {
        if (window.isBroken) throw new TypeError('of a wrapper');
        return real(...args);
      };
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'wrapped', token)]));
    await page.evaluate(() => {
      window.failures = 0;
      clients[0].on('error', () => (window.failures += 1));
      clients[0].thumb('wrapped-0', 'up');
    });
    await page.waitForFunction(() => window.failures > 0);
    assert.equal(await page.evaluate(() => clients[0].pending), 1);
    await page.evaluate(() => (window.isBroken = false));
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 20_000 });
    assert.deepEqual([new Set(cell.stored).size, cell.stored.length > 1, errors], [1, true, []]);
  },
  async 'a page whose storages throw at the mere access records as any other'({ page, faults, token }) {
    const cell = faults.addCell('denied', 'ok');
    const errors = [];
    page.on('pageerror', (error) => errors.push(String(error)));
    await page.addInitScript(() => {
      for (const name of ['localStorage', 'sessionStorage']) {
        Object.defineProperty(window, name, {
          get() {
            throw new DOMException('denied', 'SecurityError');
          },
        });
      }
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'denied', token)]));
    await page.evaluate(() => clients[0].thumb('denied-0', 'up'));
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 10_000 });
    assert.deepEqual([cell.stored.length, errors], [1, []]);
  },
  async 'a clock that stands still two days back makes ids that differ, and what is recorded arrives'({
    page,
    faults,
    token,
    service,
  }) {
    faults.addCell('clock', '500');
    await page.addInitScript(() => {
      const nowMs = Date.now() - 2 * 86_400_000;
      Date.now = () => nowMs;
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'clock', token)]));
    const ids = await page.evaluate(() => ['up', 'down', 'none'].map((value) => clients[0].thumb('clock-0', value)));
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 20_000 });
    const rows = (await service.rows()).filter((row) => row.completion_id === 'clock-0');
    assert.deepEqual(new Set(rows.map((row) => row.id)), new Set(ids));
    assert.equal(new Set(ids).size, 3);
  },
  async 'a token that is refused is asked for anew, once, and nothing is lost by it'({ page, faults, token, service }) {
    const cell = faults.addCell('refused', 'ok');
    let nMinted = 0;
    await page.exposeFunction('mint', async (completionIds) => {
      nMinted += 1;
      const { token } = await service.mint('u-2', [...completionIds, 'refused-of-no-answer']);
      // The first one names its subject and was signed by nobody.
      return nMinted === 1 ? token.replace(/[^.]+$/, 'AAAA') : token;
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'token-unused', token)]));
    await page.evaluate(
      (endpoint) => {
        const source = ({ completionIds }) => window.mint(completionIds);
        window.aw = afterword.createAfterword({ endpoint, token: source, user: 'u-2', flushIntervalMs: 200 });
        aw.thumb('refused-0', 'up');
      },
      optionsOf(faults, 'refused', token).endpoint,
    );
    await page.waitForFunction(() => aw.pending === 0, undefined, { timeout: 20_000 });
    const nRefused = cell.refused.filter((answer) => answer.startsWith('401')).length;
    assert.deepEqual([cell.stored.length, nMinted, nRefused], [1, 2, 1]);
  },
  async 'a blocker sees a few attempts and no storm, and what waited goes once it is gone'({ page, faults, token }) {
    const cell = faults.addCell('blocked', 'ok');
    let nAttempts = 0;
    await page.route('**/v1/feedback', (route) => {
      nAttempts += 1;
      return route.abort('blockedbyclient');
    });
    await page.goto(pageUrl(faults, [optionsOf(faults, 'blocked', token)]));
    await page.evaluate(() => {
      window.failures = 0;
      clients[0].on('error', () => (window.failures += 1));
      for (let i = 0; i < 30; i += 1) clients[0].thumb(`blocked-${i}`, 'up');
    });
    await page.waitForFunction(() => window.failures >= 2, undefined, { timeout: 20_000 });
    // A storm would have made hundreds by now.
    assert.ok(nAttempts < 10, `${nAttempts} attempts`);
    await page.unroute('**/v1/feedback');
    await page.waitForFunction(() => clients[0].pending === 0, undefined, { timeout: 20_000 });
    assert.deepEqual([new Set(cell.stored).size, storedOnce(cell)], [30, true]);
  },
  async 'on plain HTTP, where there is no clipboard to write to, copies are told all the same'({ page, faults }) {
    await page.goto(`http://app.test:${faults.ports[1]}/page?o=[]`);
    assert.equal(await page.evaluate(() => typeof navigator.clipboard), 'undefined');
    assert.ok((await runGolden(page)) > 0);
  },
};
