// Serves the pages of the tests, and stands between them and the service to lose, delay and refuse what they send.
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';

export const FAULTS = ['ok', '500', '429', 'reset before commit', 'reset after commit', '400 ms'];

const SCRIPT = readFileSync(new URL('../../dist/afterword.iife.js', import.meta.url));

/** A page with as many clients as its query has options. */
const PAGE = `<!doctype html><meta charset="utf-8"><title>cell</title><script src="/afterword.iife.js"></script><script src="/page.js"></script>`;
const PAGE_SCRIPT = `
  const options = JSON.parse(new URLSearchParams(location.search).get('o'));
  window.drops = [];
  window.clients = options.map((one) => afterword.createAfterword(one));
  for (const client of clients) client.on('drop', (drop) => drops.push(drop));
`;

function readBody(incoming) {
  return new Promise((resolve, reject) => {
    const chunks = [];
    incoming.on('data', (chunk) => chunks.push(chunk));
    incoming.on('end', () => resolve(Buffer.concat(chunks)));
    incoming.on('error', reject);
    incoming.on('aborted', () => reject(new Error('aborted')));
  });
}

/** Hands a request on; resolves with the answer. */
function forward(serviceUrl, incoming, body) {
  return new Promise((resolve, reject) => {
    const { host, connection, ...headers } = incoming.headers;
    const path = incoming.url.replace(/^\/cell\/[^/]+/, '');
    const outgoing = request(`${serviceUrl}${path}`, { method: incoming.method, headers }, async (answer) => {
      resolve({ status: answer.statusCode, headers: answer.headers, body: await readBody(answer) });
    });
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

async function handle(world, incoming, outgoing) {
  const [path] = incoming.url.split('?');
  const serve = (type, text, headers = {}) => outgoing.writeHead(200, { 'Content-Type': type, ...headers }).end(text);
  if (path.endsWith('/page')) return serve('text/html', PAGE, world.pageHeaders);
  if (path === '/afterword.iife.js') return serve('text/javascript', SCRIPT);
  if (path === '/page.js') return serve('text/javascript', PAGE_SCRIPT);
  const file = world.files.get(path);
  if (file) return serve(file.type, file.text);
  const cell = world.cells.get(/^\/cell\/([^/]+)\//.exec(path)?.[1]);
  if (!cell || !(cell.peer || path.endsWith('/v1/feedback'))) return outgoing.writeHead(404).end();

  const body = await readBody(incoming);
  cell.methods.push(incoming.method);
  // Of another client's requests only those that carry a reaction meet the fault.
  if (cell.peer && !cell.peer.carries(body)) return cell.peer.answer(incoming, outgoing, body);
  const fault = cell.nFaultsLeft > 0 ? cell.fault : 'ok';
  cell.nFaultsLeft -= 1;
  if (fault === 'reset before commit') return incoming.socket.destroy();
  // A balancer's own answer knows nothing of origins; the service's does.
  if (fault === '500') return outgoing.writeHead(500).end('upstream failed');
  if (fault === '429') {
    const cors = {
      'Access-Control-Allow-Origin': incoming.headers.origin,
      'Access-Control-Expose-Headers': 'Retry-After',
    };
    return outgoing
      .writeHead(429, { ...cors, 'Retry-After': '1', 'Content-Type': 'application/problem+json' })
      .end('{"code":"quota_exceeded","retryable":true,"status":429}');
  }
  if (fault === '400 ms') await new Promise((resolve) => setTimeout(resolve, 400));
  if (cell.peer) {
    cell.peer.store(body);
    return fault === 'reset after commit' ? incoming.socket.destroy() : cell.peer.answer(incoming, outgoing, body);
  }
  const answer = await forward(world.serviceUrl, incoming, body);
  if (incoming.method === 'POST' && answer.status < 300) {
    for (const item of JSON.parse(body).feedback) cell.stored.push(item.id);
  } else if (incoming.method === 'POST') cell.refused.push(`${answer.status} ${answer.body}`);
  if (fault === 'reset after commit') return incoming.socket.destroy();
  const { connection, 'transfer-encoding': _, ...headers } = answer.headers;
  return outgoing.writeHead(answer.status, headers).end(answer.body);
}

/**
 * Starts two origins that serve the same. `cells` maps a name to what befalls its requests and what it came to; one with a
 * `peer` is for another client, whose receiver that is. `files` maps a path to what else is served.
 */
export async function startFaults() {
  const world = { cells: new Map(), files: new Map(), serviceUrl: '', pageHeaders: {} };
  const servers = await Promise.all(
    [0, 1].map(
      () =>
        new Promise((resolve) => {
          const server = createServer((incoming, outgoing) => {
            handle(world, incoming, outgoing).catch(() => incoming.socket.destroy());
          });
          server.listen(0, '127.0.0.1', () => resolve(server));
        }),
    ),
  );
  return {
    world,
    ports: servers.map((server) => server.address().port),
    addCell(name, fault) {
      const cell = { fault, nFaultsLeft: fault === '400 ms' ? 1000 : 2, stored: [], refused: [], methods: [] };
      world.cells.set(name, cell);
      return cell;
    },
    stop() {
      for (const server of servers) {
        server.closeAllConnections();
        server.close();
      }
    },
  };
}
