import type { Delivery } from './delivery.ts';
import type { Identity } from './identity.ts';
import { AfterwordError, type AfterwordOptions, type FlushResult, type Receipt } from './options.ts';
import type { Outbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { nBytesIn, type Queue } from './queue.ts';

/** Largest items of one request together. Four fifths of the page's keepalive budget, so that another one can start. */
const MAX_BATCH_BYTES = 48_000;
/** What a page that is being left sends at most: the keepalive budget. */
const MAX_EXIT_BYTES = 60_000;

/** The longest time of a timer: browsers run one with more at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Decides when what waits goes out. */
export interface Courier {
  /** Sends at once where a batch is full, else when its time has come. */
  wake(): void;
  /** Sends until nothing is left or something is in the way; one at a time. */
  pump(): Promise<void>;
  /** The page may never come back: everything that fits goes out at once, beside what is under way. */
  flushAtExit(): void;
  /** Takes back what is scheduled. */
  unschedule(): void;
  flush(): Promise<FlushResult>;
}

/**
 * Makes a courier.
 * @param mayWork whether anything may be sent now
 */
export function createCourier(
  options: AfterwordOptions,
  platform: Platform,
  queue: Queue,
  outbox: Outbox,
  identity: Identity,
  delivery: Delivery,
  mayWork: () => boolean,
): Courier {
  const { batchSize = 20, flushIntervalMs = 2000 } = options;
  let sending: Promise<void> | undefined;
  let cancelFlush: (() => void) | undefined;

  const nIdle = (): number => queue.all().filter((entry) => !entry.isBusy).length;
  const isReady = (): boolean => mayWork() && delivery.waitMs() <= 0 && platform.isOnline();
  const run = async (): Promise<void> => {
    for (let nItems = batchSize; nItems; ) {
      outbox.expire();
      if (!isReady() || !nIdle()) return;
      let token: string;
      try {
        token = await identity.askToken();
      } catch {
        return delivery.fail(new AfterwordError('auth'));
      }
      // Much may have happened while the token was on its way.
      const batch = isReady() ? queue.take(nItems, MAX_BATCH_BYTES) : [];
      nItems = batch.length && (await delivery.deliver(batch, token, false, nItems));
    }
  };
  const pump = (): Promise<void> =>
    (sending ??= run().finally(() => {
      sending = undefined;
      schedule();
    }));
  const unschedule = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
  };
  const schedule = (): void => {
    const waitMs = Math.max(delivery.waitMs(), flushIntervalMs);
    const isPaused = !platform.isOnline() || (platform.isHidden() && delivery.isFailing());
    if (cancelFlush || sending || isPaused || !mayWork() || waitMs > MAX_TIMER_MS || !queue.all().length) return;
    cancelFlush = platform.afterMs(waitMs, () => {
      cancelFlush = undefined;
      pump();
    });
  };

  return {
    wake: () => void (nIdle() >= batchSize && isReady() ? pump() : schedule()),
    pump,
    flushAtExit() {
      const token = identity.inHand();
      let nBytesLeft = MAX_EXIT_BYTES;
      while (token !== undefined && isReady()) {
        const batch = queue.take(batchSize, MAX_BATCH_BYTES);
        nBytesLeft -= nBytesIn(batch);
        if (!batch.length || nBytesLeft < 0) return;
        delivery.deliver(batch, token, true, 0).then(schedule);
      }
    },
    unschedule,
    async flush() {
      const before = { ...delivery.receipts };
      await pump();
      let kind: keyof Receipt;
      for (kind in before) before[kind] = delivery.receipts[kind] - before[kind];
      return { ...before, pending: queue.all().length };
    },
  };
}
