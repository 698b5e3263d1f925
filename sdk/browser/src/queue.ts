import { type Item, isExplicit } from './feedback.ts';
import { nBytesOf, toJson } from './text.ts';

/** An item that waits, with its JSON, which is written once: a retry has the words of the first send. */
export interface Entry {
  captured: Item;
  sealed: string;
  nBytes: number;
  /** `performance.now()` at capture; absent for what an earlier page captured, whose clock nobody knows. */
  monoMs?: number | undefined;
  /** Whether it is under way. */
  isBusy?: boolean;
  /** Whether a token was found not to name the item. */
  isDenied?: boolean;
}

/** What may wait at most. */
export interface Caps {
  nItems: number;
  nBytes: number;
}

/** Makes an entry of an item. */
export function toEntry(captured: Item, monoMs?: number): Entry {
  const sealed = toJson(captured);
  return { captured, sealed, nBytes: nBytesOf(sealed), monoMs };
}

/** Items in the order of their capture, each once. Nothing here knows time, chance or storage. */
export interface Queue {
  /** Adds what is not there yet. Returns what had to go, the oldest implicit signals first; nothing under way goes. */
  add(entries: readonly Entry[]): Entry[];
  /** The next entries that are not under way, explicit signals first; always one where there is any. */
  take(nItems: number, nBytes: number): Entry[];
  /** Removes and returns what is gone. */
  remove(isGone: (entry: Entry) => unknown): Entry[];
  /** All entries, in order. */
  all(): readonly Entry[];
}

/** Makes an empty queue. */
export function createQueue(caps: Caps): Queue {
  let entries: Entry[] = [];

  const remove = (isGone: (entry: Entry) => unknown): Entry[] => {
    const gone = entries.filter(isGone);
    entries = entries.filter((entry) => !gone.includes(entry));
    return gone;
  };
  /** What is not under way, in the order of capture within explicit and implicit signals. */
  const idle = (areExplicitFirst: boolean): Entry[] => {
    const rank = ({ captured }: Entry): number => +(isExplicit(captured.signal) !== areExplicitFirst);
    return entries.filter((entry) => !entry.isBusy).sort((a, b) => rank(a) - rank(b));
  };

  return {
    add(added) {
      // A name keeps its first place and its last entry: what is there stays, where it is.
      entries = [...new Map([...entries, ...added, ...entries].map((entry) => [entry.captured.id, entry])).values()];
      let nItemsOver = entries.length - caps.nItems;
      let nBytesOver = nBytesIn(entries) - caps.nBytes;
      const gone = idle(false).filter(({ nBytes }) => {
        const isGone = nItemsOver > 0 || nBytesOver > 0;
        nItemsOver -= 1;
        nBytesOver -= nBytes;
        return isGone;
      });
      return remove((entry) => gone.includes(entry));
    },
    take(nItems, nBytes) {
      // One that is too large for any batch goes alone.
      return idle(true)
        .slice(0, nItems)
        .filter((entry, i) => (nBytes -= entry.nBytes) >= 0 || !i);
    },
    remove,
    all: () => entries,
  };
}

/** The bytes of entries together. */
export function nBytesIn(entries: readonly Entry[]): number {
  return entries.reduce((sum, { nBytes }) => sum + nBytes, 0);
}

/** The envelope of a batch. `age_ms` is measured here, at the send, and is no part of what retries are compared by. */
export function toBody(batch: readonly Entry[], token: string, nowMs: number, monoMs: number, sdk: string): string {
  const feedback = batch.map((entry) => ({
    ...JSON.parse(entry.sealed),
    // Null where the capture's clock is not known: JSON has no NaN.
    age_ms: Math.round(monoMs - entry.monoMs!),
  }));
  return toJson({ v: 1, token, sent_at: new Date(nowMs), sdk, feedback });
}
