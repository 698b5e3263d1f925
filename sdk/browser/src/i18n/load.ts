import type { ThumbStrings } from './strings.ts';

// Each path stands here in full, so that bundlers of the host make a chunk of each language.
const LOADERS: Record<string, () => Promise<Record<string, ThumbStrings>>> = {
  ar: () => import('./ar.ts'),
  de: () => import('./de.ts'),
  es: () => import('./es.ts'),
  fr: () => import('./fr.ts'),
  zh: () => import('./zh.ts'),
};

/** Brings the words of a language, if we have them and they can be had. Never rejects. */
export async function loadStrings(language: string): Promise<ThumbStrings | undefined> {
  try {
    return (await LOADERS[language]?.())?.[language];
  } catch {
    // Offline, or blocked: English stays.
    return undefined;
  }
}
