// Builds dist/: ESM and CommonJS of each entry, one script for pages without a bundler, and the types of both.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { build, transform } from 'esbuild';
import { minify } from 'terser';
import { INTERNAL } from './internal.mjs';

const LANGUAGES = ['ar', 'de', 'en', 'es', 'fr', 'zh'].map((language) => `i18n/${language}`);
const ENTRIES = ['index', 'conversation', 'observe', 'element', 'define', 'react', 'vue', 'svelte', ...LANGUAGES];

/** Style sheets are strings of the script: a page with a strict policy needs no other file for them. */
const styles = {
  name: 'styles',
  setup: (build) =>
    build.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, 'utf8'), { loader: 'css', minify: true });
      return { contents: code.trim(), loader: 'text' };
    }),
};
/** What stays a file of its own: the languages, and the element, which has one client however many entries use it. */
const pieces = (extension) => ({
  name: 'pieces',
  setup(build) {
    build.onResolve({ filter: /^\.\/(de|fr|es|zh|ar)\.ts$/ }, ({ path }) => ({
      // Both formats load modules lazily in the same way.
      path: path.replace('./', './i18n/').replace('.ts', '.js'),
      external: true,
    }));
    build.onResolve({ filter: /^\.\/element\.ts$/ }, ({ kind }) =>
      kind === 'entry-point' ? undefined : { path: `./element.${extension}`, external: true },
    );
  },
});
/** The one script has one piece beside it, with all languages. */
const whole = {
  name: 'whole',
  setup: (build) =>
    build.onResolve({ filter: /\/load\.ts$/ }, ({ resolveDir }) => ({ path: `${resolveDir}/i18n/load-beside.ts` })),
};

/**
 * Makes a module one script with a global name: what esbuild writes for that keeps the exports live, in 200 bytes more. It says
 * nothing of strict mode, which would change nothing: no line writes to what is frozen, or asks who called.
 */
function toScript(code, globalName) {
  const exports = /export \{([^}]*)\};\s*$/;
  const [, names] = exports.exec(code);
  const members = names.replace(/(\w+) as (\w+)/g, '$2: $1');
  return `var ${globalName} = (() => {${code.replace(exports, `return {${members}};`)}})();`;
}

/** Bundles by esbuild, which shortens our own names of properties; terser does the rest: it saves 4 % more. */
async function bundle(entry, file, format, globalName, define = {}) {
  const { outputFiles } = await build({
    entryPoints: [`src/${entry}.ts`],
    outfile: `dist/${file}`,
    bundle: true,
    write: false,
    minifySyntax: true,
    target: 'es2022',
    mangleProps: new RegExp(`^(${INTERNAL.join('|')})$`),
    sourcemap: 'external',
    legalComments: 'none',
    external: ['react', 'vue'],
    define,
    plugins: [styles, globalName ? whole : pieces(format === 'cjs' ? 'cjs' : 'js')],
    format,
  });
  const [map, script] = outputFiles;
  const { code, map: finalMap } = await minify(globalName ? toScript(script.text, globalName) : script.text, {
    module: !globalName && format === 'esm',
    toplevel: !globalName,
    ecma: 2022,
    compress: {
      passes: 5,
      // What one script has on top of itself may stand where it is written: measured, as all of these.
      hoist_funs: !globalName,
      inline: globalName ? 1 : 3,
      keep_fargs: false,
      pure_getters: true,
      sequences: false,
      unsafe_arrows: true,
    },
    sourceMap: { content: map.text, url: `${basename(file)}.map` },
  });
  // Whoever renders on a server must know that these are for the page.
  const directive = entry === 'react' ? "'use client';" : '';
  writeFileSync(`dist/${file}`, directive + code);
  writeFileSync(`dist/${file}.map`, finalMap);
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist/i18n', { recursive: true });
for (const entry of ENTRIES) {
  await bundle(entry, `${entry}.js`, 'esm');
  await bundle(entry, `${entry}.cjs`, 'cjs');
}
// Its name holds the first 80 bits of its hash, as the service names what it serves: it may be kept for ever.
const { outputFiles: words } = await build({
  entryPoints: ['src/i18n/words.ts'],
  bundle: true,
  write: false,
  minify: true,
  charset: 'utf8',
  target: 'es2022',
  format: 'esm',
});
const wordsFile = `afterword.${createHash('sha384').update(words[0].contents).digest('hex').slice(0, 20)}.js`;
writeFileSync(`dist/${wordsFile}`, words[0].contents);
await bundle('iife', 'afterword.iife.js', 'esm', 'afterword', { WORDS_FILE: JSON.stringify(wordsFile) });
// What a backend's code reads is a library's and a runtime's: no name of it is ours to shorten.
for (const [format, extension] of [
  ['esm', 'js'],
  ['cjs', 'cjs'],
])
  await build({
    entryPoints: ['src/server.ts'],
    outfile: `dist/server.${extension}`,
    bundle: true,
    minify: true,
    target: 'es2022',
    external: ['node:crypto'],
    sourcemap: true,
    legalComments: 'none',
    format,
  });
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' });
// The types of CommonJS name each other as such: a file of modules cannot be required.
for (const file of readdirSync('dist', { recursive: true }).filter((name) => name.endsWith('.d.ts'))) {
  const types = readFileSync(`dist/${file}`, 'utf8');
  const name = (extension) => types.replace(/(from '\.{1,2}\/[\w/-]+)\.ts'/g, `$1.${extension}'`);
  writeFileSync(`dist/${file}`, name('js'));
  writeFileSync(`dist/${file.replace(/ts$/, 'cts')}`, name('cjs'));
}
