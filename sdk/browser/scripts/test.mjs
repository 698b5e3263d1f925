// Runs the unit and property tests: bundled, then by Node's own runner. Arguments are names of files to run.
import { spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const wanted = process.argv.slice(2);
const files = readdirSync('test/unit').filter((file) => file.endsWith('.test.ts'));
const entryPoints = files.filter((file) => !wanted.length || wanted.some((name) => file.includes(name)));
rmSync('build/unit', { recursive: true, force: true });
await build({
  entryPoints: entryPoints.map((file) => `test/unit/${file}`),
  outdir: 'build/unit',
  bundle: true,
  platform: 'node',
  format: 'esm',
  target: 'node20',
  packages: 'external',
  loader: { '.css': 'text' },
  sourcemap: 'inline',
  outExtension: { '.js': '.mjs' },
});
const outputs = entryPoints.map((file) => `build/unit/${file.replace(/\.ts$/, '.mjs')}`);
const run = spawnSync('node', ['--enable-source-maps', '--test', ...outputs], { stdio: 'inherit' });
process.exit(run.status ?? 1);
