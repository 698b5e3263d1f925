import { type Item, isExplicit } from './feedback.ts';
import { nBytesOf } from './text.ts';

/** An item that waits, with its JSON, which is written once. */
export interface Entry {
  item: Item;
  json: string;
  nBytes: number;
  /** `performance.now()` at capture; absent for what an earlier page captured, whose clock nobody knows. */
  monoMs?: number | undefined;
  /** How often a token was found not to name the item. */
  nDenied: number;
}

/** What may wait at most. */
export interface Caps {
  nItems: number;
  nBytes: number;
  ageMs: number;
}

/** Makes an entry of an item. */
export function toEntry(item: Item, monoMs?: number): Entry {
  const json = JSON.stringify(item);
  return { item, json, nBytes: nBytesOf(json), monoMs, nDenied: 0 };
}

/** Items in the order of their capture, each once. Nothing here knows time, chance or storage. */
export interface Queue {
  /** Adds what is not there yet. Returns what had to go, the oldest implicit signals first; nothing in `busy` goes. */
  add(entries: readonly Entry[], busy: ReadonlySet<string>): Entry[];
  /** Removes and returns what is older than the cap. */
  expire(nowMs: number, busy: ReadonlySet<string>): Entry[];
  /** The next entries that are not under way, explicit signals first; always one where there is any. */
  take(nItems: number, nBytes: number, busy: ReadonlySet<string>): Entry[];
  /** Removes by id. */
  remove(ids: ReadonlySet<string>): void;
  /** All entries, in order. */
  all(): readonly Entry[];
  /** Removes and returns everything. */
  clear(): Entry[];
}

/** Makes an empty queue. */
export function createQueue(caps: Caps): Queue {
  let entries: Entry[] = [];

  const removeWhere = (isGone: (entry: Entry) => boolean): Entry[] => {
    const gone = entries.filter(isGone);
    entries = entries.filter((entry) => !isGone(entry));
    return gone;
  };
  /** What is not under way, in the order of capture within explicit and implicit signals. */
  const idle = (busy: ReadonlySet<string>, areExplicitFirst: boolean): Entry[] => {
    const rank = ({ item }: Entry): number => Number(isExplicit(item.signal) !== areExplicitFirst);
    return entries.filter(({ item }) => !busy.has(item.id)).sort((a, b) => rank(a) - rank(b));
  };

  return {
    add(added, busy) {
      const byId = new Map([...added, ...entries].map((entry) => [entry.item.id, entry]));
      for (const entry of entries) byId.delete(entry.item.id);
      entries = [...entries, ...byId.values()];
      let nItemsLeft = entries.length;
      let nBytesLeft = entries.reduce((sum, { nBytes }) => sum + nBytes, 0);
      const gone = new Set<Entry>();
      for (const entry of idle(busy, false)) {
        if (nItemsLeft <= caps.nItems && nBytesLeft <= caps.nBytes) break;
        gone.add(entry);
        nItemsLeft -= 1;
        nBytesLeft -= entry.nBytes;
      }
      return removeWhere((entry) => gone.has(entry));
    },
    expire: (nowMs, busy) =>
      removeWhere(({ item }) => nowMs - Date.parse(item.occurred_at) > caps.ageMs && !busy.has(item.id)),
    take(nItems, nBytes, busy) {
      let nBytesLeft = nBytes;
      // One that is too large for any batch goes alone.
      return idle(busy, true)
        .slice(0, nItems)
        .filter((entry, i) => (nBytesLeft -= entry.nBytes) >= 0 || i === 0);
    },
    remove(ids) {
      removeWhere((entry) => ids.has(entry.item.id));
    },
    all: () => entries,
    clear: () => removeWhere(() => true),
  };
}

/** The envelope of a batch. `age_ms` is measured here, at the send, and is no part of what retries are compared by. */
export function toBody(batch: readonly Entry[], token: string, nowMs: number, monoMs: number, sdk: string): string {
  const items = batch.map(({ json, monoMs: capturedMs }) =>
    capturedMs === undefined
      ? json
      : `${json.slice(0, -1)},"age_ms":${Math.max(0, Math.min(3e10, Math.round(monoMs - capturedMs)))}}`,
  );
  const head = JSON.stringify({ v: 1, token, sent_at: new Date(nowMs).toISOString(), sdk });
  return `${head.slice(0, -1)},"feedback":[${items}]}`;
}
