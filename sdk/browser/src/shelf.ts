import type { Item } from './feedback.ts';
import { uuidV7 } from './id.ts';
import type { Platform, StorageKind } from './platform.ts';
import type { Entry } from './queue.ts';
import { PREFIX, parseStored, type Store, TAB_PREFIX } from './storage.ts';

/** Age from which on a queue counts as orphaned where no lock can tell, on pages of plain HTTP. */
export const ORPHAN_AGE_MS = 30 * 60_000;

/** Where one client of one tab keeps what waits, for one subject. */
export interface Shelf {
  /** Writes the queue; false where the storage refused it, and what was written before stays. */
  saveQueue(entries: readonly Entry[]): boolean;
  /** Takes the tab's name, at the start or when the page is back. Returns what lies under it already. */
  comeBack(): Item[];
  /**
   * Offers every queue of the subject whose tab is gone, and every one that is too old for anybody. It is removed only
   * after `take` says that its items are written elsewhere.
   */
  adoptOrphans(maxAgeMs: number, take: (items: Item[]) => boolean): void;
  /** The page is being left: the name goes to the tab's next page, and nothing is written any more. */
  leavePage(): void;
}

/** Opens the shelf of a subject; undefined where nothing can be stored. */
export function openShelf(platform: Platform, kind: StorageKind, subject: string): Shelf | undefined {
  const store = platform.storeOf(kind);
  if (!store) return undefined;
  const tabs = platform.storeOf('session');
  const tabKey = TAB_PREFIX + subject;
  const tab = tabs?.getItem(tabKey) ?? uuidV7(platform.nowMs(), platform.randomBytes());
  const mine = `${PREFIX}${subject}:`;
  const key = mine + tab;
  let release: (() => void) | undefined;
  let isHere = false;

  return {
    saveQueue(entries) {
      if (!isHere) return true;
      try {
        if (entries.length) {
          store.setItem(key, `{"at":${platform.nowMs()},"items":[${entries.map((entry) => entry.sealed)}]}`);
        } else store.removeItem(key);
        return true;
      } catch {
        return false;
      }
    },
    comeBack() {
      isHere = true;
      // Taken away while the page lives: a duplicated tab gets a copy of the session storage, and must not get our name.
      tabs?.removeItem(tabKey);
      release = platform.holdName?.(key);
      return parseStored(store.getItem(key))?.items ?? [];
    },
    adoptOrphans(maxAgeMs, take) {
      for (const other of Object.keys(store)) {
        if (!other.startsWith(PREFIX) || other === key) continue;
        const takeIt = (): void => {
          const stored = parseStored(store.getItem(other));
          if (isHere && (!stored || take(stored.items))) store.removeItem(other);
        };
        // Not a number for what is no queue: that is older than nothing.
        const ageMs = platform.nowMs() - (parseStored(store.getItem(other))?.at ?? Number.NaN);
        const isMine = other.startsWith(mine);
        if (ageMs > maxAgeMs || (isMine && !platform.ifFree && ageMs > ORPHAN_AGE_MS)) takeIt();
        else if (isMine) platform.ifFree?.(other, takeIt);
      }
    },
    leavePage() {
      if (!isHere) return;
      isHere = false;
      try {
        tabs?.setItem(tabKey, tab);
      } catch {
        // The next page of this tab takes another name and adopts the queue as any other tab's.
      }
      release?.();
    },
  };
}

/** Removes every stored queue of a subject, or of all where it is not known, and tells the other tabs. */
export function wipe(store: Store | undefined, subject = ''): void {
  try {
    for (const key of Object.keys(store!)) if (key.startsWith(PREFIX + subject)) store!.removeItem(key);
    // Other tabs hear of a change; nothing stays behind.
    store!.setItem(`${PREFIX}reset`, subject);
    store!.removeItem(`${PREFIX}reset`);
  } catch {
    // A storage that is not there or fails here has nothing of ours that could be read.
  }
}
