import { attempt } from './attempt.ts';
import type { DropOne, Emit } from './client.ts';
import type { Item } from './feedback.ts';
import { uuidV7 } from './id.ts';
import { AfterwordError, type AfterwordOptions, type DropReason } from './options.ts';
import type { Platform } from './platform.ts';
import { type Entry, surplus, toEntry } from './queue.ts';
import { PREFIX, parseStored, RESET, type Store, TAB_PREFIX } from './storage.ts';

/** How long implicit signals wait for their write: storage is slow, and they come in crowds. */
const SAVE_DELAY_MS = 250;
/** Age from which on a queue counts as orphaned where no lock can tell, on pages of plain HTTP. */
const ORPHAN_AGE_MS = 30 * 60_000;

/** Keeps what waits, in storage, too, of the subject whose turn it is: one queue for one client of one tab. */
export interface Outbox {
  /** All entries, in the order of their capture. */
  entriesNow(): readonly Entry[];
  keep(entry: Entry): void;
  /** Takes out what is gone, and declares it as dropped where there is a reason for that. */
  removeWhere(isGone: (entry: Entry) => unknown, reason?: DropReason): void;
  /** Writes the queue; where the storage refuses it, what was written before stays. */
  saveQueue(): void;
  /** Gives up what is too old. */
  expireOld(): void;
  /** From here on items are those of `next`. What waits for another one stays stored until that one is back. */
  turnTo(next?: string): void;
  /** Opens the subject's storage, if that is allowed by now. */
  openStore(): void;
  /** Takes over what closed tabs of the subject left, and what is too old for anybody. */
  adoptOrphans(): void;
  /** The page is being left: the name goes to the tab's next page, and nothing is written after this. */
  leavePage(): void;
  /** Takes the tab's name when the page is back, and what lies under it already. */
  comeBack(): void;
  /**
   * Removes what is stored, other tabs' included; until the next `openStore` memory alone keeps what waits. With a
   * reason that is given up, too.
   */
  wipe(reason?: DropReason | false): void;
  /** Another tab wrote or removed a name. */
  stored(key: string | null, text: string | null): void;
}

/**
 * Makes an empty outbox.
 * @param mayStore whether anything may be written now
 * @param wake called when something was taken over
 */
export function createOutbox(
  { storage = 'local', maxAgeMs = 7 * 86_400_000, maxQueue = 500, maxBytes = 256 << 10, crossTab }: AfterwordOptions,
  platform: Platform,
  emit: Emit,
  drop: DropOne,
  mayStore: () => boolean,
  wake: () => void,
): Outbox {
  let entries: readonly Entry[] = [];
  /** Empty while nobody is known; else it ends with a colon, so that none is the beginning of another one. */
  let subject = '';
  /** Where the subject's queues lie; absent before that is allowed, and where nothing can be stored. */
  let store: Store | undefined;
  /** The name of our queue there; ours while the page lives. */
  let key: string;
  let isHere = false;
  let release: () => void;
  /** Set while a write is due. */
  let saving: unknown;

  const tabs = (): Store | undefined => platform.storeOf('session');
  const removeWhere = (isGone: (entry: Entry) => unknown, reason?: DropReason): void => {
    const gone = entries.filter(isGone);
    entries = entries.filter((entry) => !gone.includes(entry));
    if (reason) for (const { captured } of gone) drop(captured, reason);
  };
  const removeAll = (reason?: DropReason): void => removeWhere(() => true, reason);
  const add = (added: readonly Entry[]): void => {
    // A name keeps its first place and its last entry: what is there stays, where it is.
    const all = [...entries, ...added, ...entries];
    entries = [...new Map(all.map((entry) => [entry.captured.id, entry])).values()];
    for (let over: Entry | undefined; (over = surplus(entries, maxQueue, maxBytes)); ) {
      removeWhere((entry) => entry === over, 'queue_full');
    }
  };
  const expireOld = (): void => {
    const sinceMs = platform.nowMs() - maxAgeMs;
    removeWhere(({ captured, isBusy }) => !isBusy && Date.parse(captured.occurred_at) < sinceMs, 'expired');
  };
  const saveQueue = (): boolean | undefined => {
    saving = undefined;
    if (!isHere) return true;
    const isSaved = attempt(() => {
      if (entries.length) {
        store!.setItem(key, `{"at":${platform.nowMs()},"items":[${entries.map((entry) => entry.sealed)}]}`);
      } else store!.removeItem(key);
      return true;
    });
    if (!isSaved) emit('error', new AfterwordError('storage'));
    return isSaved;
  };
  const forget = (reason: DropReason): void => {
    removeAll(reason);
    saveQueue();
  };
  /** Takes items of other pages; true once they are written under our own name. */
  const merge = (items: readonly Item[]): boolean | undefined => {
    add(items.map((item) => toEntry(item)));
    expireOld();
    wake();
    return saveQueue();
  };
  const adoptOrphans = (): void => {
    if (!isHere || !mayStore() || crossTab === false) return;
    const own = key;
    for (const other of Object.keys(store!)) {
      if (!other.startsWith(PREFIX) || other === own) continue;
      const read = () => parseStored(store!.getItem(other));
      const take = (): void => {
        // A lock may be granted after the page was left, or after another subject's turn has come.
        if (!isHere || key !== own) return;
        const stored = read();
        if (!stored || merge(stored.items)) store!.removeItem(other);
      };
      // Not a number for what is no queue: that is older than nothing.
      const ageMs = platform.nowMs() - Number(read()?.at);
      const isMine = other.startsWith(PREFIX + subject);
      if (ageMs > maxAgeMs || (isMine && !platform.webLocks && ageMs > ORPHAN_AGE_MS)) take();
      else if (isMine) {
        platform.webLocks?.request(other, { ifAvailable: true }, (lock) => void (lock && take())).catch(() => {});
      }
    }
  };
  const comeBack = (): void => {
    if (!store) return;
    isHere = true;
    // Taken away while the page lives: a duplicated tab gets a copy of the session storage, and must not get our name.
    tabs()?.removeItem(TAB_PREFIX + subject);
    // Let go before it was granted, it is granted for no time.
    const held = new Promise<void>((resolve) => (release = resolve));
    platform.webLocks?.request(key, () => held).catch(() => {});
    merge(parseStored(store.getItem(key))?.items ?? []);
    adoptOrphans();
  };
  const openStore = (): void => {
    if (!mayStore() || !subject || store) return;
    store = platform.storeOf(storage);
    key = tabs()?.getItem(TAB_PREFIX + subject) ?? PREFIX + subject + uuidV7(platform.nowMs(), platform.randomBytes());
    comeBack();
  };
  const leavePage = (): void => {
    saveQueue();
    if (!isHere) return;
    isHere = false;
    // Without it the next page of this tab takes another name and adopts the queue as any other tab's.
    attempt(() => tabs()?.setItem(TAB_PREFIX + subject, key));
    release();
  };

  return {
    entriesNow: () => entries,
    keep(entry) {
      add([entry]);
      if (!entry.rank) saveQueue();
      else if (!saving) saving = platform.afterMs(SAVE_DELAY_MS, saveQueue);
    },
    removeWhere,
    saveQueue,
    expireOld,
    turnTo(next = subject) {
      if (next === subject) return;
      leavePage();
      // What came before anybody was known is of whom comes first.
      if (subject) removeAll(store ? undefined : 'subject_changed');
      store = undefined;
      subject = next;
      openStore();
    },
    openStore,
    adoptOrphans,
    leavePage,
    comeBack,
    wipe(reason) {
      if (reason) forget(reason);
      leavePage();
      store = undefined;
      // A storage that is not there or fails here has nothing of ours that could be read.
      attempt(() => {
        tabs()?.removeItem(TAB_PREFIX + subject);
        const all = platform.storeOf(storage)!;
        for (const name of Object.keys(all)) if (name.startsWith(PREFIX + subject)) all.removeItem(name);
        // Other tabs hear of a change; nothing stays behind.
        all.setItem(RESET, subject);
        all.removeItem(RESET);
      });
    },
    stored(name, text) {
      if (name === RESET && (text === subject || text === '')) forget('reset');
    },
  };
}
