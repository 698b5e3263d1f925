// Pages on which other clients lost data or broke their host.
import assert from 'node:assert/strict';

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
};
