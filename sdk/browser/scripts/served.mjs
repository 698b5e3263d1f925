// Keeps what the service serves (src/http/assets of the repository) equal to what is published, the one script and the file
// with its languages: `--check` fails where they differ, and without it the served ones are written anew.
import { readFileSync, writeFileSync } from 'node:fs';
import { wordsFile } from './entries.mjs';

const PLACE = '../../src/http/assets';
/** By the served name; the map of the sources is not served, so that nothing points at it. */
const FRESH = {
  'afterword.js': readFileSync('dist/afterword.iife.js', 'utf8').replace(/\/\/# sourceMappingURL=.*\n?$/, ''),
  'afterword.words.js': readFileSync(`dist/${wordsFile()}`, 'utf8'),
};

for (const [file, fresh] of Object.entries(FRESH)) {
  if (!process.argv.includes('--check')) {
    writeFileSync(`${PLACE}/${file}`, fresh);
  } else if (readFileSync(`${PLACE}/${file}`, 'utf8') !== fresh) {
    console.error(`src/http/assets/${file} is not what the sources build: make sdk-asset`);
    process.exitCode = 1;
  }
}
