// The published types of every entry as text, in api/: a change of what hosts may call is seen in review.
// `npm run api` writes the reports anew, `npm run check-dist` compares them.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import ts from 'typescript59';
import { MODULES } from './entries.mjs';

const printer = ts.createPrinter({ removeComments: true });

/** The declarations that an entry exports, by name and without comments. */
function report({ specifier, types }) {
  const program = ts.createProgram([types], { module: ts.ModuleKind.Node16, skipLibCheck: true, types: [] });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(types);
  const module = checker.getSymbolAtLocation(source);
  const exported = module ? checker.getExportsOfModule(module) : [];
  const lines = exported
    .map((symbol) => (symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((symbol) => symbol.declarations ?? [])
    .map((one) => (ts.isVariableDeclaration(one) ? one.parent.parent : one))
    .map((one) => printer.printNode(ts.EmitHint.Unspecified, one, one.getSourceFile()));
  return `# ${specifier}\n\n\`\`\`ts\n${lines.join('\n') || '// No exports: importing it is all.'}\n\`\`\`\n`;
}

/** The reports by the name of their files. */
export function reports() {
  const nameOf = (path) => path.slice(2).replaceAll('/', '-') || 'index';
  return new Map(MODULES.map((entry) => [`api/${nameOf(entry.path)}.api.md`, report(entry)]));
}

/** Says where the reports in api/ differ from what is published. */
export function differences(wanted) {
  const found = existsSync('api') ? readdirSync('api').map((file) => `api/${file}`) : [];
  return [...new Set([...found, ...wanted.keys()])].filter(
    (file) => !found.includes(file) || readFileSync(file, 'utf8') !== wanted.get(file),
  );
}

if (process.argv[1] === import.meta.filename) {
  rmSync('api', { recursive: true, force: true });
  mkdirSync('api');
  for (const [file, text] of reports()) writeFileSync(file, text);
}
