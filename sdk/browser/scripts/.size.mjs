import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const names = [
  'nowMs',
  'monoMs',
  'randomBytes',
  'isHidden',
  'isOnline',
  'hasGpc',
  'ifFree',
  'capturedMs',
  'nBytes',
  'nDenied',
  'nItems',
  'ageMs',
  'inHand',
  'nAccepted',
  'nDuplicate',
  'waitMs',
  'isOpen',
  'sendsUser',
  'nPending',
  'restore',
  'leave',
  'adopt',
  'hide',
  'stored',
  'retryAfter',
  'after',
  'own',
  'hold',
  'expire',
  'post',
  'watch',
  'store',
  'give',
  'json',
  'item',
];
for (const m of [undefined, new RegExp(`^(${names.join('|')})$`)]) {
  const r = await build({
    entryPoints: ['src/index.ts'],
    bundle: true,
    minify: true,
    format: 'esm',
    target: process.argv[2] ?? 'es2020',
    write: false,
    metafile: true,
    ...(m && { mangleProps: m }),
  });
  const o = r.outputFiles[0].contents;
  console.log(o.length, gzipSync(o, { level: 9 }).length);
  if (m)
    for (const [k, v] of Object.entries(Object.values(r.metafile.outputs)[0].inputs)) console.log(k, v.bytesInOutput);
}
