import { type Item, isExplicit } from './feedback.ts';
import { nBytesOf, toJson } from './text.ts';

/** An item that waits, with its JSON, which is written once: a retry has the words of the first send. */
export interface Entry {
  captured: Item;
  sealed: string;
  /** 0 for an explicit signal, 1 for an implicit one. */
  rank: number;
  nBytes: number;
  /** `performance.now()` at capture; absent for what an earlier page captured, whose clock nobody knows. */
  monoMs?: number | undefined;
  /** Whether it is under way. */
  isBusy?: boolean;
  /** Whether a token was found not to name the item. */
  isDenied?: boolean;
}

/** Makes an entry of an item. */
export function toEntry(captured: Item, monoMs?: number): Entry {
  const sealed = toJson(captured);
  return { captured, sealed, rank: isExplicit(captured.signal) ? 0 : 1, nBytes: nBytesOf(sealed), monoMs };
}

/** The bytes of entries together. */
export function nBytesIn(entries: readonly Entry[]): number {
  return entries.reduce((sum, { nBytes }) => sum + nBytes, 0);
}

/** What is not under way, by rank from the lowest (1) or from the highest (-1), and in the order of capture within a rank. */
function idleIn(entries: readonly Entry[], direction: 1 | -1): Entry[] {
  return entries.filter((entry) => !entry.isBusy).sort((a, b) => (a.rank - b.rank) * direction);
}

/** What has to go first for the caps to be kept: the oldest implicit signal, if any; nothing that is under way goes. */
export function surplus(entries: readonly Entry[], maxItems: number, maxBytes: number): Entry | undefined {
  const isOver = entries.length > maxItems || nBytesIn(entries) > maxBytes;
  return isOver ? idleIn(entries, -1)[0] : undefined;
}

/** The next entries that are not under way, explicit signals first; one that is too large for any batch goes alone. */
export function nextBatch(entries: readonly Entry[], nItems: number, nBytes: number): Entry[] {
  return idleIn(entries, 1)
    .slice(0, nItems)
    .filter((entry, i) => (nBytes -= entry.nBytes) >= 0 || !i);
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
