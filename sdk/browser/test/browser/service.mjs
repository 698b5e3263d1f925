// The real service with its own Postgres, for as long as the browser tests run.
import { execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const KEY = `aw_sec_${'browsertest0000'.padEnd(16, '0')}_${randomBytes(32).toString('base64url')}`;

/** Starts `binary`. Returns its address, and how to make a publishable key, read all rows, and stop it. */
export async function startService(binary) {
  const dir = mkdtempSync(join(tmpdir(), 'afterword-sdk-'));
  const env = {
    ...process.env,
    AFTERWORD_DATA_DIR: dir,
    AFTERWORD_INIT_PROJECT: 'sdk',
    AFTERWORD_INIT_SECRET_KEY: KEY,
  };
  delete env.DATABASE_URL;
  const child = spawn(binary, ['serve', '--listen', '127.0.0.1:0'], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  const lines = [];
  const url = await new Promise((resolve, reject) => {
    const deadline = setTimeout(() => reject(new Error(`the service did not start:\n${lines.join('')}`)), 90_000);
    const read = (chunk) => {
      lines.push(String(chunk));
      const found = /listening on (http:\/\/\S+)/.exec(lines.join(''));
      if (found) {
        clearTimeout(deadline);
        resolve(found[1]);
      }
    };
    child.stdout.on('data', read);
    child.stderr.on('data', read);
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}:\n${lines.join('')}`)));
  });
  const headers = { Authorization: `Bearer ${KEY}` };

  return {
    url,
    key: KEY,
    /** Makes a key at the command line: what it prints, and what it says of it. */
    async createKey(...args) {
      return promisify(execFile)(binary, ['key', 'create', ...args], { env });
    },
    async publishableKey(origins) {
      const all = origins.flatMap((one) => ['--origin', one]);
      const made = await this.createKey('--publishable', '--allow-http', '--name', 'pages', ...all);
      return /aw_pub_[a-z0-9]{16}/.exec(made.stdout)[0];
    },
    /** What is stored under an address, as an administrator sees it. */
    async read(path) {
      const answer = await fetch(`${url}${path}`, { headers });
      return { status: answer.status, body: await answer.json() };
    },
    /** A feedback token as a customer's backend asks for it. */
    async mint(subject, completionIds) {
      const answer = await fetch(`${url}/v1/feedback-tokens`, {
        method: 'POST',
        headers: { ...headers, 'Content-Type': 'application/json' },
        body: JSON.stringify({ subject, completion_ids: completionIds }),
      });
      if (!answer.ok) throw new Error(`POST /v1/feedback-tokens: ${answer.status} ${await answer.text()}`);
      return answer.json();
    },
    async rows() {
      const rows = [];
      for (let cursor = ''; ; ) {
        const answer = await fetch(`${url}/v1/feedback?limit=200${cursor && `&cursor=${cursor}`}`, { headers });
        if (!answer.ok) throw new Error(`GET /v1/feedback: ${answer.status} ${await answer.text()}`);
        const page = await answer.json();
        rows.push(...page.feedback);
        if (!page.next_cursor) return rows;
        cursor = encodeURIComponent(page.next_cursor);
      }
    },
    async stop() {
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGTERM');
      await ended;
      rmSync(dir, { recursive: true, force: true });
    },
  };
}
