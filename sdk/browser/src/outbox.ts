import type { DropOne, Emit } from './client.ts';
import { type Item, isExplicit } from './feedback.ts';
import { AfterwordError, type AfterwordOptions, type DropReason } from './options.ts';
import type { Platform } from './platform.ts';
import { type Entry, type Queue, toEntry } from './queue.ts';
import { openShelf, type Shelf, wipe } from './shelf.ts';
import { TAB_PREFIX } from './storage.ts';

/** How long implicit signals wait for their write: storage is slow, and they come in crowds. */
const SAVE_DELAY_MS = 250;

/** Keeps what waits in storage, too, of the subject whose turn it is. */
export interface Outbox {
  add(entry: Entry): void;
  saveQueue(): void;
  /** Gives up what is too old. */
  expire(): void;
  /** Gives up everything, here alone. */
  forget(reason: DropReason): void;
  /** From here on items are those of `next`. What waits for another one stays stored until that one is back. */
  turnTo(next: string | undefined): void;
  subjectNow(): string | undefined;
  /** Opens the subject's storage, if that is allowed by now. */
  openShelf(): void;
  /** Takes over what closed tabs left. */
  adoptOrphans(): void;
  /** Leaves the storage to the tab's next page, and takes it back. */
  leavePage(): void;
  comeBack(): void;
  /** Removes what is stored, other tabs' included; until the next `openShelf` memory alone keeps what waits. */
  wipe(): void;
}

/**
 * Makes an outbox on top of an empty queue.
 * @param mayStore whether anything may be written now
 * @param wake called when something was taken over
 */
export function createOutbox(
  options: AfterwordOptions,
  platform: Platform,
  queue: Queue,
  emit: Emit,
  drop: DropOne,
  mayStore: () => boolean,
  wake: () => void,
): Outbox {
  const { storage = 'local', maxAgeMs = 7 * 86_400_000 } = options;
  let subject: string | undefined;
  let shelf: Shelf | undefined;
  let cancelSave: (() => void) | undefined;

  const giveUp = (entries: readonly Entry[], reason: DropReason): void => {
    for (const { captured } of entries) drop(captured, reason);
  };
  const saveQueue = (): boolean => {
    cancelSave?.();
    cancelSave = undefined;
    const isSaved = !shelf || shelf.saveQueue(queue.all());
    if (!isSaved) emit('error', new AfterwordError('storage'));
    return isSaved;
  };
  const add = (entries: readonly Entry[]): void => giveUp(queue.add(entries), 'queue_full');
  const forget = (reason: DropReason): void => {
    giveUp(
      queue.remove(() => true),
      reason,
    );
    saveQueue();
  };
  const expire = (): void => {
    const sinceMs = platform.nowMs() - maxAgeMs;
    giveUp(
      queue.remove(({ captured, isBusy }) => !isBusy && Date.parse(captured.occurred_at) < sinceMs),
      'expired',
    );
  };
  /** Takes items of other pages; true once they are written under our own name. */
  const merge = (items: readonly Item[]): boolean => {
    add(items.map((item) => toEntry(item)));
    expire();
    wake();
    return saveQueue();
  };
  const adoptOrphans = (): void => {
    if (mayStore() && options.crossTab !== false) shelf?.adoptOrphans(maxAgeMs, merge);
  };
  const comeBack = (): void => {
    if (shelf) merge(shelf.comeBack());
  };
  const openOwn = (): void => {
    if (!mayStore() || !subject || shelf) return;
    shelf = openShelf(platform, storage, subject);
    comeBack();
    adoptOrphans();
  };
  const leave = (): void => shelf?.leavePage();

  return {
    add(entry) {
      add([entry]);
      if (isExplicit(entry.captured.signal)) saveQueue();
      else cancelSave ??= platform.afterMs(SAVE_DELAY_MS, saveQueue);
    },
    saveQueue,
    expire,
    forget,
    turnTo(next) {
      if (next === subject) return;
      saveQueue();
      leave();
      // What came before anybody was known is of whom comes first.
      if (subject) {
        const left = queue.remove(() => true);
        if (!shelf) giveUp(left, 'subject_changed');
      }
      shelf = undefined;
      subject = next;
      openOwn();
    },
    subjectNow: () => subject,
    openShelf: openOwn,
    adoptOrphans,
    leavePage: leave,
    comeBack,
    wipe() {
      leave();
      shelf = undefined;
      platform.storeOf('session')?.removeItem(TAB_PREFIX + subject);
      wipe(platform.storeOf(storage), subject);
    },
  };
}
