import type { Item } from './feedback.ts';
import { uuidV7 } from './id.ts';
import type { Platform, StorageKind } from './platform.ts';
import type { Entry } from './queue.ts';
import { PREFIX, parseStored, type Store } from './storage.ts';

/** Age from which on a queue counts as orphaned where no lock can tell, on pages of plain HTTP. */
export const ORPHAN_AGE_MS = 30 * 60_000;

/** Where one client of one tab keeps what waits, for one subject. */
export interface Shelf {
  /** Writes the queue; false where the storage refused it, and what was written before stays. */
  save(entries: readonly Entry[]): boolean;
  /** What lies under this tab's own name: an earlier page of the tab left it. */
  own(): Item[];
  /**
   * Offers every queue of the subject whose tab is gone, and every one that is too old for anybody. It is removed only
   * after `take` says that its items are written elsewhere.
   */
  adopt(maxAgeMs: number, take: (items: Item[]) => boolean): void;
  /** The page is being left: the name goes to the tab's next page, and nothing is written any more. */
  leave(): void;
  /** The page is back. */
  restore(): void;
}

/** Opens the shelf of a subject; undefined where nothing can be stored. */
export function openShelf(platform: Platform, kind: StorageKind, subject: string): Shelf | undefined {
  const store = platform.store(kind);
  if (!store) return undefined;
  const tabs = platform.store('session');
  const tabKey = `afterword-tab:${subject}`;
  // Taken away while the page lives: a duplicated tab gets a copy of the session storage, and must not get our name.
  const tab = tabs?.getItem(tabKey) ?? uuidV7(platform.nowMs(), platform.randomBytes());
  const key = `${PREFIX}${subject}:${tab}`;
  let release: (() => void) | undefined;
  let isHere = false;

  const restore = (): void => {
    isHere = true;
    tabs?.removeItem(tabKey);
    release = platform.hold?.(key);
  };
  restore();

  return {
    save(entries) {
      if (!isHere) return true;
      try {
        if (entries.length) {
          store.setItem(key, `{"at":${platform.nowMs()},"items":[${entries.map((entry) => entry.json)}]}`);
        } else store.removeItem(key);
        return true;
      } catch {
        return false;
      }
    },
    own: () => parseStored(store.getItem(key))?.items ?? [],
    adopt(maxAgeMs, take) {
      const takeFrom = (other: string): void => {
        const stored = parseStored(store.getItem(other));
        if (!stored || take(stored.items)) store.removeItem(other);
      };
      for (const other of Object.keys(store)) {
        if (!other.startsWith(PREFIX) || other === key) continue;
        const ageMs = platform.nowMs() - (parseStored(store.getItem(other))?.at ?? platform.nowMs());
        if (ageMs > maxAgeMs) takeFrom(other);
        else if (!other.startsWith(`${PREFIX}${subject}:`)) continue;
        else if (platform.ifFree) platform.ifFree(other, () => isHere && takeFrom(other));
        else if (ageMs > ORPHAN_AGE_MS) takeFrom(other);
      }
    },
    leave() {
      if (!isHere) return;
      isHere = false;
      try {
        tabs?.setItem(tabKey, tab);
      } catch {
        // The next page of this tab takes another name and adopts the queue as any other tab's.
      }
      release?.();
    },
    restore,
  };
}

/** Removes every stored queue of a subject, or of all where it is not known, and tells the other tabs. */
export function wipe(store: Store | undefined, subject: string | undefined): void {
  try {
    for (const key of Object.keys(store ?? {})) {
      if (key.startsWith(`${PREFIX}${subject ?? ''}`)) store?.removeItem(key);
    }
    // Other tabs hear of a change; nothing stays behind.
    store?.setItem(`${PREFIX}reset`, subject ?? '');
    store?.removeItem(`${PREFIX}reset`);
  } catch {
    // A storage that fails here has nothing of ours that could be read.
  }
}
