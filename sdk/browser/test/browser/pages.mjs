// An origin for pages under test: the built package, pages that a test writes, and the service behind the same origin.
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml' };

/** Starts the origin. Folders are served below their names; `write` adds a page and gives its address. */
export async function startPages(folders) {
  const written = new Map();
  let serviceUrl;
  const server = createServer((incoming, outgoing) => {
    const path = decodeURIComponent(incoming.url.split('?')[0]);
    if (path === '/v1/feedback' && serviceUrl) {
      const { host, connection, ...headers } = incoming.headers;
      const onward = request(`${serviceUrl}${path}`, { method: incoming.method, headers }, (answer) => {
        const { connection, ...headers } = answer.headers;
        answer.pipe(outgoing.writeHead(answer.statusCode, headers));
      });
      onward.on('error', () => incoming.socket.destroy());
      return incoming.pipe(onward);
    }
    if (path === '/favicon.ico') return outgoing.writeHead(204).end();
    const page = written.get(path);
    if (page) return outgoing.writeHead(200, page.headers).end(page.text);
    const [, folder, ...rest] = normalize(path).split('/');
    const file = folders[folder] && join(folders[folder], rest.join('/') || 'index.html');
    if (!file || !existsSync(file) || !statSync(file).isFile()) return outgoing.writeHead(404).end();
    return outgoing.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'text/plain' }).end(readFileSync(file));
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://localhost:${server.address().port}`;
  let n_pages = 0;
  return {
    origin,
    /** Names the service that `/v1/feedback` is handed to. */
    forwardTo(url) {
      serviceUrl = url;
    },
    /** Adds a page of a body and a script of its own file, as a strict policy wants it. */
    write(body, { script = '', type = 'module', headers = {}, html = 'lang="en"', head = '' } = {}) {
      const name = `/pages/${n_pages++}`;
      const text = `<!doctype html><html ${html}><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>page</title>${head}</head><body>${body}<script type="${type}" src="${name}.js"></script></body></html>`;
      written.set(name, { text, headers: { 'Content-Type': 'text/html; charset=utf-8', ...headers } });
      written.set(`${name}.js`, { text: script, headers: { 'Content-Type': 'text/javascript' } });
      return `${origin}${name}`;
    },
    stop() {
      server.closeAllConnections();
      server.close();
    },
  };
}
