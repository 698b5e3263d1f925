import { backoffMs } from './backoff.ts';
import type { DropOne, Emit } from './client.ts';
import type { Identity } from './identity.ts';
import { AfterwordError, NOTHING, type Receipt } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { type Entry, type Queue, toBody } from './queue.ts';
import { judge, type Verdict } from './verdict.ts';

/** What the service shows beside a row. */
const SDK = 'js/0.1.0';

/** Longer than any page lives: a credential that nobody renews was refused. */
const FOR_EVER_MS = 1e15;

/** One request, and what follows from its answer. */
export interface Delivery {
  /**
   * Sends a batch. Resolves with how many items the next one may have: `nItems` again, fewer where the service wants
   * less at once, none where nothing more should be sent now.
   */
  deliver(batch: readonly Entry[], token: string, isExit: boolean, nItems: number): Promise<number>;
  /** Tells what went wrong, and asks for a wait: as long as is said, or longer with every failure. */
  fail(error: AfterwordError, waitMs?: number): void;
  /** How long nothing must be sent; zero and less: anything may. */
  waitMs(): number;
  /** Whether the last answer was a failure. */
  isFailing(): boolean;
  /** Forgets the failures of another credential. */
  unblock(): void;
  /** What all answers came to. */
  readonly receipts: Receipt;
}

/** Makes the way to `url`. */
export function createDelivery(
  platform: Platform,
  url: string,
  queue: Queue,
  outbox: Outbox,
  identity: Identity,
  emit: Emit,
  drop: DropOne,
): Delivery {
  const sum = { ...NOTHING };
  let blockedUntilMs = 0;
  let nFailures = 0;
  let nRefused = 0;

  const fail = (error: AfterwordError, waitMs = backoffMs(nFailures, platform.random())): void => {
    nFailures += 1;
    blockedUntilMs = Math.max(blockedUntilMs, platform.monoMs() + waitMs);
    emit('error', error);
  };
  /** Ends the items that have their verdict. Returns how many may go next. */
  const settle = (batch: readonly Entry[], verdict: Verdict, nItems: number): number => {
    if (verdict.kind === 'auth') {
      const canAsk = identity.expire();
      if (canAsk && !nRefused++) return nItems;
      fail(new AfterwordError('auth', 401), canAsk ? undefined : FOR_EVER_MS);
      return 0;
    }
    if (verdict.kind === 'keep') {
      fail(new AfterwordError('network', verdict.status), verdict.waitMs);
      return 0;
    }
    nFailures = nRefused = 0;
    if (verdict.kind === 'split') return Math.ceil(batch.length / 2);
    const receipt = { accepted: verdict.accepted, duplicate: verdict.duplicate, rejected: 0 };
    const ids = new Set(batch.map(({ captured }) => captured.id));
    for (const { index, code } of verdict.rejected) {
      const entry = batch[index];
      if (!entry) continue;
      // The token in hand may be one of an earlier page or answer: one that was minted for this item gets its chance.
      if (!entry.isDenied && /^(completion|signal)_not_granted$/.test(code)) {
        entry.isDenied = true;
        ids.delete(entry.captured.id);
        identity.expire();
      } else {
        receipt.rejected += 1;
        drop(entry.captured, 'rejected', code);
      }
    }
    queue.remove(({ captured }) => ids.has(captured.id));
    outbox.saveQueue();
    let kind: keyof Receipt;
    for (kind in sum) sum[kind] += receipt[kind];
    emit('sent', receipt);
    return nItems;
  };

  return {
    async deliver(batch, token, isExit, nItems) {
      for (const entry of batch) entry.isBusy = true;
      let verdict: Verdict = { kind: 'keep', status: 0 };
      try {
        const body = toBody(batch, token, platform.nowMs(), platform.monoMs(), SDK);
        verdict = judge(await platform.postBody(url, body, isExit), batch.length, platform.nowMs());
      } catch {
        // Nobody knows whether it arrived; the service will know it again by its ids.
      }
      for (const entry of batch) entry.isBusy = false;
      return settle(batch, verdict, nItems);
    },
    fail,
    waitMs: () => blockedUntilMs - platform.monoMs(),
    isFailing: () => nFailures > 0,
    unblock() {
      blockedUntilMs = nRefused = 0;
    },
    receipts: sum,
  };
}
