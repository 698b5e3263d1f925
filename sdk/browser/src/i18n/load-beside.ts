import type { ThumbStrings } from './strings.ts';

/** The name of the file with the languages, which holds its hash: the build says it. */
declare const WORDS_FILE: string;

// Known only while the script runs; a script from another origin cannot name files beside it in any other way.
const script = globalThis.document?.currentScript as HTMLScriptElement | null | undefined;

/**
 * Stands in for `load.ts` in the one script: brings all languages in one file that lies beside it. As a module, because an
 * element for it would need Trusted Types. Never rejects.
 */
export async function loadStrings(language: string): Promise<ThumbStrings | undefined> {
  try {
    return (await import(new URL(WORDS_FILE, script!.src).href))[language];
  } catch {
    // Offline, blocked, or bundled with other scripts: English stays.
    return undefined;
  }
}
