import { backoffMs } from './backoff.ts';
import type { DropOne, Emit } from './client.ts';
import type { Identity } from './identity.ts';
import { AfterwordError, type AfterwordOptions } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { type Entry, nBytesIn, nextBatch, toBody } from './queue.ts';
import { judge, type Verdict } from './verdict.ts';

/** What the service shows beside a row. */
const SDK = 'js/0.1.0';
/** Longer than any page lives: a credential that nobody renews was refused. */
const FOR_EVER_MS = 1e15;
/** Largest items of one request together. Four fifths of the page's keepalive budget, so that another one can start. */
const MAX_BATCH_BYTES = 48_000;
/** What a page that is being left sends at most: the keepalive budget. */
const MAX_EXIT_BYTES = 60_000;
/** The longest time of a timer: browsers run one with more at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Brings what waits to the service. */
export interface Delivery {
  /** Sends at once where a batch is full, else when its time has come. */
  wake(): void;
  /** Sends until nothing is left or something is in the way; one at a time. */
  pump(): Promise<void>;
  /** The page may never come back: everything that fits goes out at once, beside what is under way. */
  flushAtExit(): void;
  /** Forgets the failures of another credential. */
  unblock(): void;
}

/**
 * Makes the way to `url`.
 * @param mayWork whether anything may be sent now
 */
export function createDelivery(
  { batchSize = 20, flushIntervalMs = 2000 }: AfterwordOptions,
  platform: Platform,
  url: string,
  outbox: Outbox,
  identity: Identity,
  emit: Emit,
  drop: DropOne,
  mayWork: () => boolean,
): Delivery {
  let blockedUntilMs = 0;
  let nFailures = 0;
  let nRefused = 0;
  /** What the next batch may have: fewer once the service wants less at once. */
  let nItems = batchSize;
  let sending: Promise<void> | undefined;
  /** Set while a send is due. */
  let waking: unknown;

  const waitMs = (): number => blockedUntilMs - platform.monoMs();
  const nIdle = (): number => outbox.entriesNow().filter((entry) => !entry.isBusy).length;
  const isConnected = (): boolean => mayWork() && platform.isOnline();
  const isReady = (): boolean => isConnected() && waitMs() <= 0;
  /** Tells what went wrong, and asks for a wait: as long as is said, or longer with every failure. */
  const fail = (
    code: AfterwordError['code'],
    status?: number,
    waitMs = backoffMs(nFailures, platform.randomBytes()[0]! / 256),
  ): undefined => {
    nFailures += 1;
    blockedUntilMs = Math.max(blockedUntilMs, platform.monoMs() + waitMs);
    emit('error', new AfterwordError(code, status));
  };
  /** Ends the items that have their verdict. */
  const settle = (batch: readonly Entry[], { accepted = 0, duplicate = 0, rejected, refusal }: Verdict): void => {
    const receipt = { accepted, duplicate, rejected: 0 };
    const done = batch.filter((entry, i) => {
      const code = refusal ?? rejected!.find(({ index }) => index === i)?.code;
      // The token in hand may be one of an earlier page or answer: one that was minted for this item gets its chance.
      if (!entry.isDenied && /_not_granted$/.test(code!)) {
        identity.disown();
        return !(entry.isDenied = true);
      }
      if (code) {
        receipt.rejected += 1;
        drop(entry.captured, 'rejected', code);
      }
      return true;
    });
    outbox.removeWhere((entry) => done.includes(entry));
    outbox.saveQueue();
    emit('sent', receipt);
  };
  /** Sends a batch. Resolves with whether another one may follow at once. */
  const deliver = async (batch: readonly Entry[], token: string, isExit?: boolean): Promise<boolean | undefined> => {
    for (const entry of batch) entry.isBusy = true;
    let verdict: Verdict = { status: 0 };
    try {
      const body = toBody(batch, token, platform.nowMs(), platform.monoMs(), SDK);
      verdict = judge(await platform.postBody(url, body, isExit), batch.length, platform.nowMs());
    } catch {
      // Nobody knows whether it arrived; the service will know it again by its ids.
    }
    for (const entry of batch) entry.isBusy = false;
    const { status, isTooMuch, isDecided, waitMs } = verdict;
    if (status === 401) {
      const canAsk = identity.disown();
      return (canAsk && !nRefused++) || fail('auth', status, canAsk ? undefined : FOR_EVER_MS);
    }
    if (!isTooMuch && !isDecided) return fail('network', status, waitMs);
    nFailures = nRefused = 0;
    if (isTooMuch) nItems = Math.ceil(batch.length / 2);
    else settle(batch, verdict);
    return true;
  };
  const run = async (): Promise<void> => {
    nItems = batchSize;
    for (;;) {
      outbox.expireOld();
      if (!isReady() || !nIdle()) return;
      const token = await identity.askToken().catch(() => fail('auth'));
      if (!token) return;
      // Much may have happened while the token was on its way.
      const batch = isReady() ? nextBatch(outbox.entriesNow(), nItems, MAX_BATCH_BYTES) : [];
      if (!batch.length || !(await deliver(batch, token))) return;
    }
  };
  const pump = (): Promise<void> =>
    (sending ??= run().finally(() => {
      sending = undefined;
      schedule();
    }));
  const schedule = (): void => {
    const inMs = Math.max(waitMs(), flushIntervalMs);
    const isPaused = platform.isHidden() && nFailures;
    if (waking || isPaused || !isConnected() || inMs > MAX_TIMER_MS || !outbox.entriesNow().length) return;
    waking = platform.afterMs(inMs, () => {
      waking = undefined;
      pump();
    });
  };

  return {
    wake() {
      if (nIdle() < batchSize) schedule();
      else pump();
    },
    pump,
    flushAtExit() {
      const token = identity.inHand();
      let nBytesLeft = MAX_EXIT_BYTES;
      while (token && isReady()) {
        const batch = nextBatch(outbox.entriesNow(), batchSize, MAX_BATCH_BYTES);
        nBytesLeft -= nBytesIn(batch);
        if (!batch.length || nBytesLeft < 0) return;
        deliver(batch, token, true).then(schedule);
      }
    },
    unblock() {
      blockedUntilMs = nRefused = 0;
    },
  };
}
