import { attempt } from './attempt.ts';
import type { Item } from './feedback.ts';

/** What we need of a browser's `Storage`, whose names are its own keys; every call may throw. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Begins every name of ours in a page's storage. */
export const PREFIX = 'afterword:';
/** Written and removed at once, to tell the other tabs whose queues are gone; empty for everybody's. */
export const RESET = `${PREFIX}reset`;
/** Begins the name under which a tab's next page finds the name of the tab's queue, in the session storage. */
export const TAB_PREFIX = `${PREFIX}tab:`;

/** A queue as it is stored: when it was last written, and its items. */
export interface Stored {
  at: number;
  items: Item[];
}

/** Reads a stored queue; undefined for what is not one. */
export function parseStored(text: string | null): Stored | undefined {
  return attempt(() => {
    const { at, items } = JSON.parse(text!) as Stored;
    return { at, items: items.filter((item) => item?.id) };
  });
}
