import type { DropOne, Emit } from './client.ts';
import { createCourier } from './courier.ts';
import { createDelivery } from './delivery.ts';
import { createIdentity } from './identity.ts';
import type { AfterwordOptions, Consent, FlushResult } from './options.ts';
import { createOutbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { createQueue, type Entry } from './queue.ts';
import { PREFIX } from './storage.ts';
import type { TokenSource } from './token.ts';

/** Keeps items and brings them to the service. */
export interface Mailer {
  add(entry: Entry): void;
  /** Whether reactions are taken at all. */
  isOpen(): boolean;
  /** The user's name, where no token carries it. */
  user(): string | undefined;
  nPending(): number;
  flush(): Promise<FlushResult>;
  setConsent(consent: Consent): void;
  setToken(source: TokenSource): void;
  reset(): void;
  shutdown(): Promise<void>;
}

/** Makes the back half of a client: the outbox, whose it is, and its delivery, as consent and the page allow. */
export function createMailer(options: AfterwordOptions, platform: Platform, emit: Emit, drop: DropOne): Mailer {
  const url = `${options.endpoint.replace(/\/+$/, '')}/v1/feedback`;
  let consent: Consent = options.consent ?? 'granted';
  let isStopped = false;
  const mayWork = (): boolean => consent === 'granted' && !isStopped;
  const queue = createQueue({ nItems: options.maxQueue ?? 500, nBytes: options.maxBytes ?? 256 << 10 });
  const outbox = createOutbox(options, platform, queue, emit, drop, mayWork, () => courier.wake());
  const identity = createIdentity(options, platform, url, queue, outbox);
  const delivery = createDelivery(platform, url, queue, outbox, identity, emit, drop);
  const courier = createCourier(options, platform, queue, outbox, identity, delivery, mayWork);

  const setConsent = (next: Consent): void => {
    consent = next;
    if (next === 'granted') {
      outbox.openShelf();
      outbox.saveQueue();
      courier.wake();
      return;
    }
    // What was stored under an earlier consent goes; while it is pending, memory keeps what waits.
    if (next === 'denied') outbox.forget('consent');
    outbox.wipe();
  };
  const setToken = (next: TokenSource): void => {
    delivery.unblock();
    identity.setToken(next);
    courier.wake();
  };
  const show = (): void => {
    courier.unschedule();
    outbox.adoptOrphans();
    courier.wake();
  };
  const unwatch = platform.watchPage({
    hide() {
      emit('hide', undefined);
      outbox.saveQueue();
      courier.flushAtExit();
    },
    show,
    leavePage: outbox.leavePage,
    comeBack() {
      outbox.comeBack();
      show();
    },
    stored(key, text) {
      if (key === `${PREFIX}reset` && (text === outbox.subjectNow() || text === '')) outbox.forget('reset');
    },
  });
  setToken(options.token);
  // Whose queue is whose is known only with a token: it is asked for before anything has to be written.
  if (mayWork()) identity.askToken().catch(() => {});
  if (consent === 'denied') outbox.wipe();

  return {
    add(entry) {
      outbox.add(entry);
      courier.wake();
    },
    isOpen: () => consent !== 'denied' && !isStopped,
    user: identity.user,
    nPending: () => queue.all().length,
    flush: courier.flush,
    setConsent,
    setToken,
    reset() {
      outbox.forget('reset');
      outbox.wipe();
      identity.reset();
      outbox.openShelf();
    },
    async shutdown() {
      if (mayWork()) await courier.pump();
      outbox.saveQueue();
      outbox.leavePage();
      isStopped = true;
      courier.unschedule();
      unwatch();
    },
  };
}
