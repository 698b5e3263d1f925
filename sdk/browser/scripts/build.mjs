// Builds dist/: ESM and CommonJS of each entry, one script for pages without a bundler, and the types of both.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { build } from 'esbuild';

const ENTRIES = ['index', 'observe'];
/** Names of properties that only our own modules read; none of them is a browser's, the wire's or a host's. */
const INTERNAL =
  /^(nowMs|monoMs|randomBytes|after|isHidden|isOnline|hasGpc|store|hold|ifFree|watch|post|json|item|nBytes|nDenied|nItems|ageMs|inHand|nAccepted|nDuplicate|waitMs|retryAfter|isOpen|sendsUser|nPending|leave|restore|stored|adopt|own|give|expire)$/;
rmSync('dist', { recursive: true, force: true });
const shared = {
  bundle: true,
  minify: true,
  target: 'es2022',
  mangleProps: INTERNAL,
  sourcemap: true,
  legalComments: 'none',
};
for (const entry of ENTRIES) {
  const entryPoints = [`src/${entry}.ts`];
  await build({ ...shared, entryPoints, format: 'esm', outfile: `dist/${entry}.js` });
  await build({ ...shared, entryPoints, format: 'cjs', outfile: `dist/${entry}.cjs` });
}
await build({
  ...shared,
  entryPoints: ['src/iife.ts'],
  format: 'iife',
  globalName: 'afterword',
  outfile: 'dist/afterword.iife.js',
});
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.types.json'], { stdio: 'inherit' });
// The types of CommonJS name each other as such: a file of modules cannot be required.
for (const file of readdirSync('dist').filter((name) => name.endsWith('.d.ts'))) {
  const types = readFileSync(`dist/${file}`, 'utf8');
  writeFileSync(`dist/${file}`, types.replace(/(from '\.\/\w+)\.ts'/g, "$1.js'"));
  writeFileSync(`dist/${file.replace(/ts$/, 'cts')}`, types.replace(/(from '\.\/\w+)\.ts'/g, "$1.cjs'"));
}
