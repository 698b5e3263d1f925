// Builds dist/: ESM and CommonJS of each entry, one script for pages without a bundler, and the types of both.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';
import { minify } from 'terser';
import { INTERNAL } from './internal.mjs';

const ENTRIES = ['index', 'observe'];

/** Makes a module one script with a global name: what esbuild writes for that keeps the exports live, in 200 bytes more. */
function toScript(code, globalName) {
  const exports = /export \{([^}]*)\};\s*$/;
  const [, names] = exports.exec(code);
  const members = names.replace(/(\w+) as (\w+)/g, '$2: $1');
  return `var ${globalName} = (() => {"use strict";${code.replace(exports, `return {${members}};`)}})();`;
}

/** Bundles by esbuild, which shortens our own names of properties; terser does the rest: it saves 4 % more. */
async function bundle(entry, file, format, globalName) {
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
    format,
  });
  const [map, script] = outputFiles;
  const { code, map: finalMap } = await minify(globalName ? toScript(script.text, globalName) : script.text, {
    module: !globalName && format === 'esm',
    toplevel: !globalName,
    ecma: 2022,
    compress: {
      passes: 3,
      hoist_funs: true,
      keep_fargs: false,
      pure_getters: true,
      sequences: false,
      unsafe_arrows: true,
    },
    sourceMap: { content: map.text, url: `${file}.map` },
  });
  writeFileSync(`dist/${file}`, code);
  writeFileSync(`dist/${file}.map`, finalMap);
}

rmSync('dist', { recursive: true, force: true });
mkdirSync('dist');
for (const entry of ENTRIES) {
  await bundle(entry, `${entry}.js`, 'esm');
  await bundle(entry, `${entry}.cjs`, 'cjs');
}
await bundle('iife', 'afterword.iife.js', 'esm', 'afterword');
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
for (const file of readdirSync('dist').filter((name) => name.endsWith('.d.ts'))) {
  const types = readFileSync(`dist/${file}`, 'utf8');
  writeFileSync(`dist/${file}`, types.replace(/(from '\.\/\w+)\.ts'/g, "$1.js'"));
  writeFileSync(`dist/${file.replace(/ts$/, 'cts')}`, types.replace(/(from '\.\/\w+)\.ts'/g, "$1.cjs'"));
}
