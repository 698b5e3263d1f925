// Keeps the script that the service serves (src/http/assets/afterword.js of the repository) equal to the one that is
// published: `--check` fails where they differ, and without it the served one is written anew.
import { readFileSync, writeFileSync } from 'node:fs';

const PLACE = '../../src/http/assets/afterword.js';
/** The map of the sources is not served, so that nothing points at it. */
const fresh = readFileSync('dist/afterword.iife.js', 'utf8').replace(/\/\/# sourceMappingURL=.*\n?$/, '');

if (!process.argv.includes('--check')) {
  writeFileSync(PLACE, fresh);
} else if (readFileSync(PLACE, 'utf8') !== fresh) {
  console.error('src/http/assets/afterword.js is not what the sources build: make sdk-asset');
  process.exit(1);
}
