import type { ThumbStrings } from './strings.ts';

/** Stands in for `load.ts` in the one script, beside which there are no modules to load. */
export function loadStrings(_language: string): Promise<ThumbStrings | undefined> {
  return Promise.resolve(undefined);
}
