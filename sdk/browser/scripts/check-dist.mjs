// Holds what is published to its sizes and its types, and to being importable where there is no browser.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';

/** Bytes after gzip -9 that an entry may have; docs/adr/0045 says why the first is what it is. */
const LIMITS = { 'index.js': 6300, 'observe.js': 1800, 'afterword.iife.js': 9000 };

execFileSync('node_modules/.bin/tsc', ['-p', 'test/types'], { stdio: 'inherit' });
let isFine = true;
for (const [file, limit] of Object.entries(LIMITS)) {
  const nBytes = gzipSync(readFileSync(`dist/${file}`), { level: 9 }).length;
  console.log(`${file}: ${nBytes} of ${limit} bytes after gzip`);
  isFine &&= nBytes <= limit;
}
const require = createRequire(import.meta.url);
for (const [entry, name] of [
  ['index', 'createAfterword'],
  ['observe', 'observe'],
]) {
  const found = [(await import(`../dist/${entry}.js`))[name], require(`../dist/${entry}.cjs`)[name]];
  isFine &&= found.every((one) => typeof one === 'function');
}
const { createAfterword } = await import('../dist/index.js');
const client = createAfterword({ endpoint: 'http://127.0.0.1:1', token: 'aw_pub_0' });
isFine &&= client.thumb('c-1', 'up') === undefined && (await client.flush()).pending === 0;
if (!isFine) {
  console.error('the package is too large, or does not load without a browser');
  process.exit(1);
}
