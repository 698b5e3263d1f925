// All languages in one file, beside the one script.
export { ar } from './ar.ts';
export { de } from './de.ts';
export { es } from './es.ts';
export { fr } from './fr.ts';
export { zh } from './zh.ts';
