// What the package exports, read from package.json: the checks take a new entry in by themselves.
import { readdirSync, readFileSync } from 'node:fs';

const { name, exports } = JSON.parse(readFileSync('package.json', 'utf8'));

/** The entries that are modules, with their types; a script for pages or a JSON file is none. */
export const MODULES = Object.entries(exports)
  .filter(([, target]) => typeof target === 'object')
  .map(([path, target]) => ({
    path,
    specifier: name + path.slice(1),
    types: target.import.types,
    file: target.import.default,
    isCommonJs: 'require' in target,
  }));
/** The entries that a page loads as they are. */
export const SCRIPTS = Object.entries(exports).filter(
  ([, target]) => typeof target === 'string' && target.endsWith('.js'),
);
/** The file with the languages of the one script, whose name holds its hash. */
export const wordsFile = () => readdirSync('dist').find((file) => /^afterword\.[0-9a-f]{20}\.js$/.test(file));
