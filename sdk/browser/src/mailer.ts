import { backoffMs } from './backoff.ts';
import type { DropOne, Emit } from './client.ts';
import { type Item, isExplicit } from './feedback.ts';
import { hash32 } from './id.ts';
import { AfterwordError, type AfterwordOptions, type Consent, type DropReason, type FlushResult } from './options.ts';
import type { Platform } from './platform.ts';
import { createQueue, type Entry, toBody, toEntry } from './queue.ts';
import { openShelf, type Shelf, wipe } from './shelf.ts';
import { PREFIX } from './storage.ts';
import { claimsOf, createTokens, type TokenSource, type Tokens } from './token.ts';
import { judge, type Verdict } from './verdict.ts';

/** What the service shows beside a row. */
const SDK = 'js/0.1.0';
/** Largest items of one request together. Four fifths of the page's keepalive budget, so that another one can start. */
const MAX_BATCH_BYTES = 48_000;
/** How long implicit signals wait for their write: storage is slow, and they come in crowds. */
const SAVE_DELAY_MS = 250;
const NEVER = Number.POSITIVE_INFINITY;

/** Keeps items and brings them to the service. */
export interface Mailer {
  add(entry: Entry): void;
  /** Whether reactions are taken at all. */
  isOpen(): boolean;
  /** Whether items carry the user's name: a token carries it by itself. */
  sendsUser(): boolean;
  nPending(): number;
  flush(): Promise<FlushResult>;
  setConsent(consent: Consent): void;
  setToken(source: TokenSource): void;
  reset(): void;
  shutdown(): Promise<void>;
}

/** Makes the back half of a client: the queue, its storage and its delivery. */
export function createMailer(options: AfterwordOptions, platform: Platform, emit: Emit, drop: DropOne): Mailer {
  const { batchSize = 20, flushIntervalMs = 2000, storage = 'local', maxAgeMs = 7 * 86_400_000 } = options;
  const url = `${options.endpoint.replace(/\/+$/, '')}/v1/feedback`;
  const queue = createQueue({
    nItems: options.maxQueue ?? 500,
    nBytes: options.maxBytes ?? 256 << 10,
    ageMs: maxAgeMs,
  });
  const busy = new Set<string>();
  const sum: FlushResult = { accepted: 0, duplicate: 0, rejected: 0, pending: 0 };
  let user = options.user;
  let consent: Consent = options.consent ?? 'granted';
  let isStopped = false;
  let source!: TokenSource;
  let tokens!: Tokens;
  let subject: string | undefined;
  let shelf: Shelf | undefined;
  let sending: Promise<void> | undefined;
  let blockedUntilMs = 0;
  let nFailures = 0;
  let nAuthFailures = 0;
  let nItemsAtOnce = batchSize;
  let cancelFlush: (() => void) | undefined;
  let cancelSave: (() => void) | undefined;

  const dropAll = (entries: readonly Entry[], reason: DropReason, code?: string): void => {
    for (const entry of entries) drop(entry.item, reason, code);
  };
  const save = (): boolean => {
    cancelSave?.();
    cancelSave = undefined;
    const isSaved = !shelf || shelf.save(queue.all());
    if (!isSaved) emit('error', new AfterwordError('storage'));
    return isSaved;
  };
  const mayWork = (): boolean => consent === 'granted' && !isStopped;
  const isReady = (): boolean => mayWork() && platform.monoMs() >= blockedUntilMs && platform.isOnline();
  const expire = (): void => dropAll(queue.expire(platform.nowMs(), busy), 'expired');

  /** Takes items of other pages; true once they are written under our own name. */
  const merge = (items: Item[]): boolean => {
    dropAll(
      queue.add(
        items.map((item) => toEntry(item)),
        busy,
      ),
      'queue_full',
    );
    expire();
    schedule();
    return save();
  };
  const adopt = (): void => {
    if (!mayWork() || options.crossTab === false) return;
    shelf?.adopt(maxAgeMs, merge);
  };
  const openOwn = (): void => {
    if (!mayWork() || subject === undefined || shelf) return;
    shelf = openShelf(platform, storage, subject);
    if (shelf) merge(shelf.own());
    adopt();
  };

  const subjectOf = (token: string, sub = claimsOf(token).sub): string =>
    hash32(JSON.stringify(sub === undefined ? [url, token, user] : [url, sub])).toString(36);
  /** From here on items are those of `next`. What waits for another one stays stored until that one is back. */
  const changeSubject = (next: string | undefined): void => {
    if (next === subject) return;
    if (subject !== undefined) {
      save();
      shelf?.leave();
      const left = queue.clear();
      if (!shelf) dropAll(left, 'subject_changed');
      shelf = undefined;
    }
    subject = next;
    openOwn();
  };
  const setToken = (next: TokenSource): void => {
    source = next;
    tokens = createTokens(next, platform.monoMs, () =>
      [...new Set(queue.all().map((entry) => entry.item.completion_id))].slice(0, 100),
    );
    blockedUntilMs = 0;
    nAuthFailures = 0;
    if (typeof next === 'string') changeSubject(subjectOf(next));
    else if (user !== undefined) changeSubject(subjectOf('', user));
  };

  /** Ends the items that have their verdict; false where nothing more should be sent now. */
  const settle = (batch: readonly Entry[], verdict: Verdict): boolean => {
    const ids = new Set(batch.map((entry) => entry.item.id));
    if (verdict.kind === 'auth') {
      const canAsk = tokens.expire();
      if (canAsk && !nAuthFailures++) return true;
      emit('error', new AfterwordError('auth', 401));
      blockedUntilMs = canAsk ? platform.monoMs() + backoffMs(nFailures++, platform.random()) : NEVER;
      return false;
    }
    if (verdict.kind === 'keep') {
      emit('error', new AfterwordError('network', verdict.status));
      const waitMs = verdict.waitMs ?? backoffMs(nFailures, platform.random());
      nFailures += 1;
      blockedUntilMs = Math.max(blockedUntilMs, platform.monoMs() + waitMs);
      return false;
    }
    nFailures = 0;
    nAuthFailures = 0;
    if (verdict.kind === 'split' && batch.length > 1) {
      nItemsAtOnce = Math.ceil(batch.length / 2);
      return true;
    }
    const rejected = verdict.kind === 'settled' ? verdict.rejected : [{ index: 0, code: verdict.code }];
    let nRejected = 0;
    for (const { index, code } of rejected) {
      const entry = batch[index];
      if (!entry) continue;
      // The token in hand may be one of an earlier page or answer: one that was minted for this item gets its chance.
      if (/^(completion|signal)_not_granted$/.test(code) && !entry.nDenied++) {
        ids.delete(entry.item.id);
        tokens.expire();
      } else {
        nRejected += 1;
        drop(entry.item, 'rejected', code);
      }
    }
    queue.remove(ids);
    save();
    const { nAccepted = 0, nDuplicate = 0 } = verdict.kind === 'settled' ? verdict : {};
    sum.accepted += nAccepted;
    sum.duplicate += nDuplicate;
    sum.rejected += nRejected;
    emit('sent', { accepted: nAccepted, duplicate: nDuplicate, rejected: nRejected });
    return true;
  };

  const deliver = async (batch: readonly Entry[], token: string, isExit: boolean): Promise<boolean> => {
    for (const entry of batch) busy.add(entry.item.id);
    let verdict: Verdict = { kind: 'keep', waitMs: undefined, status: 0 };
    try {
      const body = toBody(batch, token, platform.nowMs(), platform.monoMs(), SDK);
      verdict = judge(await platform.post(url, body, isExit), batch.length, platform.nowMs());
    } catch {
      // Nobody knows whether it arrived; the service will know it again by its ids.
    }
    for (const entry of batch) busy.delete(entry.item.id);
    return settle(batch, verdict);
  };

  const run = async (): Promise<void> => {
    nItemsAtOnce = batchSize;
    for (;;) {
      expire();
      if (!isReady() || !queue.all().some((entry) => !busy.has(entry.item.id))) return;
      let token: string;
      try {
        token = await tokens.get();
      } catch {
        emit('error', new AfterwordError('auth'));
        blockedUntilMs = platform.monoMs() + backoffMs(nFailures++, platform.random());
        return;
      }
      if (typeof source !== 'string') changeSubject(subjectOf(token));
      // Much may have happened while the token was on its way.
      const batch = isReady() ? queue.take(nItemsAtOnce, MAX_BATCH_BYTES, busy) : [];
      if (!batch.length || !(await deliver(batch, token, false))) return;
    }
  };
  /** Sends until nothing is left or something is in the way; one at a time. */
  const pump = (): Promise<void> => {
    sending ??= run().finally(() => {
      sending = undefined;
      schedule();
    });
    return sending;
  };
  function schedule(): void {
    const waitMs = Math.max(blockedUntilMs - platform.monoMs(), flushIntervalMs);
    const isPaused = !platform.isOnline() || (platform.isHidden() && nFailures > 0);
    if (cancelFlush || sending || isPaused || !mayWork() || waitMs === NEVER || !queue.all().length) {
      return;
    }
    cancelFlush = platform.after(waitMs, () => {
      cancelFlush = undefined;
      pump();
    });
  }

  /** The page may never come back: everything that fits goes out at once, beside what is under way. */
  const hide = (): void => {
    emit('hide', undefined);
    save();
    const token = tokens.inHand();
    if (token === undefined || !isReady()) return;
    let nBytesLeft = 60_000;
    for (;;) {
      const batch = queue.take(batchSize, MAX_BATCH_BYTES, busy);
      nBytesLeft -= batch.reduce((sum, entry) => sum + entry.nBytes, 0);
      if (!batch.length || nBytesLeft < 0) return;
      deliver(batch, token, true).then(schedule);
    }
  };
  const show = (): void => {
    cancelFlush?.();
    cancelFlush = undefined;
    adopt();
    schedule();
  };
  const forget = (reason: DropReason): void => {
    dropAll(queue.clear(), reason);
    save();
  };

  const unwatch = platform.watch({
    hide,
    show,
    leave: () => shelf?.leave(),
    restore() {
      shelf?.restore();
      if (shelf) merge(shelf.own());
      show();
    },
    stored(key, text) {
      if (key === `${PREFIX}reset` && (text === subject || text === '')) forget('reset');
    },
  });
  setToken(options.token);
  // Whose queue is whose is known only with a token: it is asked for before anything has to be written.
  if (mayWork() && typeof options.token !== 'string') {
    tokens.get().then(
      (token) => changeSubject(subjectOf(token)),
      () => {},
    );
  }
  if (consent === 'denied') wipe(platform.store(storage), subject);
  schedule();

  return {
    add(entry) {
      dropAll(queue.add([entry], busy), 'queue_full');
      if (shelf) {
        if (isExplicit(entry.item.signal)) save();
        else cancelSave ??= platform.after(SAVE_DELAY_MS, save);
      }
      if (queue.all().length - busy.size >= batchSize && isReady()) pump();
      else schedule();
    },
    isOpen: () => consent !== 'denied' && !isStopped,
    sendsUser: () => typeof source === 'string' && claimsOf(source).sub === undefined,
    nPending: () => queue.all().length,
    async flush() {
      const before = { ...sum };
      await pump();
      return {
        accepted: sum.accepted - before.accepted,
        duplicate: sum.duplicate - before.duplicate,
        rejected: sum.rejected - before.rejected,
        pending: queue.all().length,
      };
    },
    setConsent(next) {
      consent = next;
      if (next === 'granted') {
        openOwn();
        save();
        schedule();
        return;
      }
      // What was stored under an earlier consent goes; while it is pending, memory keeps what waits.
      if (next === 'denied') dropAll(queue.clear(), 'consent');
      shelf?.leave();
      shelf = undefined;
      wipe(platform.store(storage), subject);
    },
    setToken(next) {
      setToken(next);
      schedule();
    },
    reset() {
      forget('reset');
      wipe(platform.store(storage), subject);
      user = undefined;
      tokens.expire();
      changeSubject(typeof source === 'string' ? subjectOf(source) : undefined);
    },
    async shutdown() {
      if (mayWork()) await pump();
      save();
      shelf?.leave();
      isStopped = true;
      cancelFlush?.();
      unwatch();
    },
  };
}
