// The fault matrix in a real Chromium, before the real service and its Postgres: what users do as the page goes away,
// times what befalls the request, times where the service is, times whether the page is secure.
import { FAULTS } from './faults.mjs';

const ACTIONS = ['navigate', 'close', 'crash', 'offline'];
const N_ITEMS = 3;
/** Beyond the half hour after which a queue counts as orphaned where no lock can tell. */
const SHIFT_MS = 31 * 60_000;
const GROUPS_AT_ONCE = 4;

const waitUntilDelivered = (page) =>
  page.waitForFunction(
    () =>
      window.clients?.every((client) => client.pending === 0) &&
      !Object.keys(localStorage).some((key) => key.startsWith('afterword:')),
    undefined,
    { timeout: 30_000, polling: 50 },
  );

/** Presses, comments and edits with every client of the page; returns the ids by client. */
const capture = (page, names) =>
  page.evaluate(
    (names) =>
      names.map((name, i) => {
        const client = window.clients[i];
        return [
          client.thumb(`${name}-0`, 'down', { reasons: ['wrong'] }),
          client.comment(`${name}-1`, 'not what I asked'),
          client.edit(`${name}-2`, 'this would have been right'),
        ];
      }),
    names,
  );

/** Does what users do, and returns the page on which what is left should go out. */
async function act(action, { context, page, isSecure, openLast, names }) {
  if (action === 'offline') {
    await context.setOffline(true);
    const ids = await capture(page, names);
    // Longer than the client waits for a batch: it must not even try.
    await page.waitForTimeout(1500);
    await context.setOffline(false);
    return { ids, last: page };
  }
  const ids = await capture(page, names);
  if (action === 'navigate') {
    await openLast(page);
    return { ids, last: page };
  }
  if (action === 'crash') {
    const crashed = new Promise((resolve) => page.once('crash', resolve));
    const session = await context.newCDPSession(page);
    session.send('Page.crash').catch(() => {});
    await crashed;
  }
  await page.close();
  const last = await context.newPage();
  if (!isSecure) {
    await last.addInitScript((shiftMs) => {
      const now = Date.now.bind(Date);
      Date.now = () => now() + shiftMs;
    }, SHIFT_MS);
  }
  await openLast(last);
  return { ids, last };
}

/** Runs the cells of one page: a client for each fault, each with an address and a queue of its own. */
async function runGroup(browser, faults, token, group) {
  const { action, isSameOrigin, isSecure, cells } = group;
  const names = cells.map((cell) => cell.name);
  const states = cells.map((cell) => faults.addCell(cell.name, cell.fault));
  const host = isSecure ? 'localhost' : 'app.test';
  const [servicePort, otherPort] = faults.ports;
  const open = (page, flushIntervalMs) => {
    const options = names.map((name) => ({
      endpoint: `http://${host}:${servicePort}/cell/${name}`,
      token,
      flushIntervalMs,
    }));
    const query = encodeURIComponent(JSON.stringify(options));
    const url = `http://${host}:${isSameOrigin ? servicePort : otherPort}/page?o=${query}`;
    return page.goto(url, { waitUntil: 'load' });
  };
  const context = await browser.newContext();
  try {
    const page = await context.newPage();
    // Long enough for the page to go before the first send, but for what it sends at its exit.
    await open(page, 1000);
    if ((await page.evaluate(() => window.isSecureContext)) !== isSecure)
      throw new Error(`${host} is not as secure as meant`);
    const openLast = (last) => open(last, 200);
    const { ids, last } = await act(action, { context, page, isSecure, openLast, names });
    let problem;
    await waitUntilDelivered(last).catch((error) => {
      problem = error.message.split('\n')[0];
    });
    return cells.map((cell, i) => ({ ...cell, ids: ids[i], state: states[i], problem }));
  } finally {
    await context.close();
  }
}

/** Runs every cell. Returns their results, with the rows that the service has of each. */
export async function runMatrix(browser, faults, service, token) {
  const groups = ACTIONS.flatMap((action) =>
    [true, false].flatMap((isSameOrigin) => [true, false].map((isSecure) => ({ action, isSameOrigin, isSecure }))),
  ).map((group, i) => ({ ...group, cells: FAULTS.map((fault, j) => ({ ...group, fault, name: `m${i}-${j}` })) }));
  const results = [];
  const next = groups.values();
  await Promise.all(
    Array.from({ length: GROUPS_AT_ONCE }, async () => {
      for (const group of next) results.push(...(await runGroup(browser, faults, token, group)));
    }),
  );
  const rows = new Map();
  for (const row of await service.rows()) rows.set(row.id, (rows.get(row.id) ?? 0) + 1);
  return results.map((result) => ({
    ...result,
    nDelivered: result.ids.filter((id) => rows.has(id)).length,
    nDoubleRows: result.ids.filter((id) => rows.get(id) > 1).length,
    nSentAgain: result.state.stored.length - new Set(result.state.stored).size,
    nLost: result.ids.filter((id) => !rows.has(id)).length,
  }));
}

/** The results as a table of Markdown: delivered / repeated sends / lost, of the items of a cell. */
export function toTable(results) {
  const columns = [
    ['same origin, secure', true, true],
    ['same origin, http', true, false],
    ['cross-origin, secure', false, true],
    ['cross-origin, http', false, false],
  ];
  const lines = [
    `| page | request | ${columns.map(([title]) => title).join(' | ')} |`,
    '| --- | --- | --- | --- | --- | --- |',
  ];
  for (const action of ACTIONS) {
    for (const fault of FAULTS) {
      const figures = columns.map(([, isSameOrigin, isSecure]) => {
        const one = results.find(
          (cell) =>
            cell.action === action &&
            cell.fault === fault &&
            cell.isSameOrigin === isSameOrigin &&
            cell.isSecure === isSecure,
        );
        return `${one.nDelivered} / ${one.nSentAgain} / ${one.nLost}`;
      });
      lines.push(`| ${action} | ${fault} | ${figures.join(' | ')} |`);
    }
  }
  const sum = (name) => results.reduce((total, result) => total + result[name], 0);
  const n = results.length * N_ITEMS;
  lines.push(
    '',
    `${results.length} cells of ${N_ITEMS} reactions: ${sum('nDelivered')} of ${n} delivered, ${sum('nSentAgain')} repeated ` +
      `sends, ${sum('nDoubleRows')} stored twice, ${sum('nLost')} lost.`,
  );
  return lines.join('\n');
}
