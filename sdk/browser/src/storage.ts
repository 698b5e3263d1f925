import type { Item } from './feedback.ts';

/** What we need of a browser's `Storage`, whose names are its own keys; every call may throw. */
export type Store = Pick<Storage, 'getItem' | 'setItem' | 'removeItem'>;

/** Begins every name of ours in a page's storage. */
export const PREFIX = 'afterword:';
/** Begins the name under which a tab's next page finds the tab's own, in the session storage. */
export const TAB_PREFIX = 'afterword-tab:';

/** A queue as it is stored: when it was last written, and its items. */
export interface Stored {
  at: number;
  items: Item[];
}

/** Reads a stored queue; undefined for what is not one. */
export function parseStored(text: string | null): Stored | undefined {
  try {
    const stored = JSON.parse(text ?? '') as Stored;
    const items = stored.items.filter((item) => item?.id && item.signal && Date.parse(item.occurred_at) >= 0);
    return { at: stored.at, items };
  } catch {
    return undefined;
  }
}
