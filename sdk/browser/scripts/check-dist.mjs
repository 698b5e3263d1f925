// Holds what is published to its sizes, its types and its packing, and to being importable where there is no browser.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { gzipSync } from 'node:zlib';
import { differences, reports } from './api.mjs';
import { MODULES, SCRIPTS, wordsFile } from './entries.mjs';
import { INTERNAL } from './internal.mjs';

/**
 * Bytes after gzip -9 that a file may have, without the last line that names its source map: bundlers and the service
 * leave that out, and no page loads it. docs/adr/0058 says how they came to be what they are.
 */
const LIMITS = {
  'index.js': 5030,
  'conversation.js': 320,
  'observe.js': 1600,
  'server.js': 2150,
  'element.js': 2960,
  'react.js': 780,
  'vue.js': 880,
  'svelte.js': 440,
  'afterword.iife.js': 9216,
};

const problems = [];
const run = (program, ...args) => execFileSync(program, args, { stdio: 'inherit' });

/** Of all languages of the one script together. */
const MAX_WORDS_BYTES = 940;

function checkSizes() {
  for (const [file, limit] of [...Object.entries(LIMITS), [wordsFile(), MAX_WORDS_BYTES]]) {
    const code = readFileSync(`dist/${file}`, 'utf8').replace(/\n?\/\/# sourceMappingURL=.*\n?$/, '');
    const nBytes = gzipSync(code, { level: 9 }).length;
    console.log(`${file}: ${nBytes} of ${limit} bytes after gzip`);
    if (nBytes > limit) problems.push(`${file} is too large`);
  }
}

/** Hosts compile against the types with the newest compiler and an older one, as modules and as CommonJS. */
function checkTypes() {
  mkdirSync('build/types', { recursive: true });
  const write = (file, entries) => {
    const lines = entries.map(({ specifier }, i) => `import * as e${i} from '${specifier}';\nexport { e${i} };\n`);
    writeFileSync(`build/types/${file}`, lines.join(''));
  };
  write('all.mts', MODULES);
  write(
    'all.cts',
    MODULES.filter((entry) => entry.isCommonJs),
  );
  for (const compiler of ['typescript', 'typescript59'])
    run('node', `node_modules/${compiler}/bin/tsc`, '-p', 'test/types');
}

/** Node has no page: importing must touch nothing, and a client must do nothing. */
async function checkServer() {
  const require = createRequire(import.meta.url);
  // What frameworks do to a server is theirs.
  await Promise.all(['react', 'vue'].map((framework) => import(framework)));
  const globals = Object.getOwnPropertyNames(globalThis).join();
  for (const { specifier, isCommonJs } of MODULES) {
    const names = Object.keys(await import(specifier)).filter(
      (name) => name !== 'default' && name !== 'module.exports',
    );
    const missing = isCommonJs ? names.filter((name) => !(name in require(specifier))) : [];
    if (missing.length) problems.push(`${specifier} has no ${missing} for CommonJS`);
  }
  for (const [, file] of SCRIPTS) await import(`../${file}`);
  if (Object.getOwnPropertyNames(globalThis).join() !== globals) problems.push('importing made a global');
  const { createAfterword } = await import('@afterword/browser');
  const client = createAfterword({ endpoint: 'http://127.0.0.1:1', token: 'aw_pub_0' });
  if (client.thumb('c-1', 'up') !== undefined || (await client.flush()).pending !== 0) {
    problems.push('a client does something on a server');
  }
}

/** The names that the build shortens are nobody else's: no browser's, not the language's, in no published type. */
function checkNames(published) {
  const folder = 'node_modules/typescript59/lib';
  const libraries = readdirSync(folder).filter((file) => /^lib\.(es|dom).*\.d\.ts$/.test(file));
  const text = libraries.map((file) => readFileSync(`${folder}/${file}`, 'utf8')).join('\n');
  const members = text.matchAll(/^\s+(?:(?:readonly|get|set) )?["']?([\w$]+)["']?\??\s*[(:<]/gm);
  const taken = new Set([...Array.from(members, (found) => found[1]), ...published.match(/\w+/g)]);
  const shared = INTERNAL.filter((name) => taken.has(name));
  if (shared.length) problems.push(`scripts/internal.mjs shortens what is not ours alone: ${shared}`);
}

/** What npm would publish, as those see it who install it. */
function checkPacking() {
  const [{ filename }] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', 'build']));
  const tarball = `build/${filename}`;
  run('node_modules/.bin/publint', 'run', tarball, '--strict');
  const scripts = SCRIPTS.flatMap(([path]) => ['--exclude-entrypoints', path]);
  run('node_modules/.bin/attw', tarball, '--profile', 'node16', '--format', 'ascii', '--no-emoji', ...scripts);
}

checkSizes();
checkTypes();
await checkServer();
const published = reports();
for (const file of differences(published)) problems.push(`${file} is not what is published: npm run api`);
checkNames([...published.values()].join('\n'));
checkPacking();
if (problems.length) {
  console.error(problems.join('\n'));
  process.exit(1);
}
