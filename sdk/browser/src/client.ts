import { createCapture } from './capture.ts';
import { createDelivery } from './delivery.ts';
import type { CompletionId, Feedback, FeedbackId } from './feedback.ts';
import { createIdentity } from './identity.ts';
import {
  type Afterword,
  type AfterwordOptions,
  type DropReason,
  type Events,
  NOTHING,
  type Receipt,
  type Signals,
} from './options.ts';
import { createOutbox } from './outbox.ts';
import type { Platform } from './platform.ts';
import { createSignals } from './signals.ts';

/** Tells listeners; what one throws goes to the console and hurts neither us nor the others. */
export type Emit = <E extends keyof Events>(what: E, detail: Events[E]) => void;
/** Tells that a reaction is given up. */
export type DropOne = (feedback: Feedback & { id?: FeedbackId }, reason: DropReason, code?: string) => void;

/** What of a client needs a page. */
type Core = Omit<Afterword, keyof Signals | 'completion' | 'on'>;

/** What a client is on a server: it takes nothing. */
const nowhere = (): Core => ({
  record: () => undefined,
  flush: async () => ({ ...NOTHING }),
  setConsent() {},
  setToken() {},
  reset() {},
  async shutdown() {},
  pending: 0,
  sessionId: '',
});

/** Joins the parts of a client that lives on a page: what is captured, what waits, whose it is, and its delivery. */
function createCore(
  options: AfterwordOptions,
  platform: Platform,
  on: Afterword['on'],
  emit: Emit,
  emitSoon: Emit,
  drop: DropOne,
): Core {
  const url = `${options.endpoint.replace(/\/+$/, '')}/v1/feedback`;
  let { consent = 'granted' } = options;
  let isStopped = false;
  const mayWork = (): boolean => consent === 'granted' && !isStopped;
  const outbox = createOutbox(options, platform, emitSoon, drop, mayWork, () => delivery.wake());
  const identity = createIdentity(options, platform, url, outbox);
  const delivery = createDelivery(options, platform, url, outbox, identity, emitSoon, drop, mayWork);
  const capture = createCapture(options, platform, identity, emitSoon, drop);
  const setToken: Core['setToken'] = (source) => {
    delivery.unblock();
    identity.takeSource(source);
    delivery.wake();
  };
  const showPage = (): void => {
    outbox.adoptOrphans();
    delivery.pump();
  };
  const unwatch = platform.watchPage({
    ...outbox,
    hidePage() {
      emit('hide', undefined);
      outbox.saveQueue();
      delivery.flushAtExit();
    },
    showPage,
  });
  setToken(options.token);
  // Whose queue is whose is known only with a token: it is asked for before anything has to be written.
  if (mayWork()) identity.askToken().catch(() => {});
  if (consent === 'denied') outbox.wipe();

  return {
    record(feedback) {
      try {
        emit('call', feedback);
        if (isStopped || consent === 'denied') return void drop(feedback, 'consent');
        const entry = capture.toItem(feedback);
        if (!entry) return undefined;
        outbox.keep(entry);
        delivery.wake();
        emit('feedback', entry.captured);
        return entry.captured.id;
      } catch {
        return void drop(feedback ?? {}, 'invalid');
      }
    },
    async flush() {
      const sum = { ...NOTHING };
      const end = on('sent', (receipt) => {
        for (const kind in receipt) sum[kind as keyof Receipt] += receipt[kind as keyof Receipt];
      });
      await delivery.pump();
      end();
      sum.pending = outbox.entriesNow().length;
      return sum;
    },
    setConsent(next) {
      consent = next;
      if (next === 'granted') {
        outbox.openStore();
        delivery.wake();
        return;
      }
      // What was stored under an earlier consent goes; while it is pending, memory keeps what waits.
      outbox.wipe(next === 'denied' && 'consent');
    },
    setToken,
    reset() {
      capture.renew();
      outbox.wipe('reset');
      identity.forgetUser();
      outbox.openStore();
    },
    async shutdown() {
      if (mayWork()) await delivery.pump();
      outbox.leavePage();
      isStopped = true;
      unwatch();
    },
    get pending() {
      return outbox.entriesNow().length;
    },
    get sessionId() {
      return capture.sessionNow();
    },
  };
}

/** Makes a client that lives on `platform`; without one, on a server, it takes nothing. */
export function createClient(options: AfterwordOptions, platform: Platform | undefined): Afterword {
  const listeners: { [E in keyof Events]?: Set<(detail: Events[E]) => void> } = {};
  const on: Afterword['on'] = (what, run) => {
    const set = (listeners[what] ??= new Set() as NonNullable<(typeof listeners)[typeof what]>);
    set.add(run);
    return () => set.delete(run);
  };
  const emit: Emit = (what, detail) => {
    if (options.debug) console.debug('afterword', what, detail);
    for (const run of listeners[what] ?? []) {
      try {
        run(detail);
      } catch (error) {
        console.error(error);
      }
    }
  };
  // What an earlier page left may have expired by now, and nobody can listen before the client is made.
  const emitSoon: Emit = (what, detail) => queueMicrotask(() => emit(what, detail));
  const drop: DropOne = ({ id, completion_id, signal }, reason, code) =>
    emitSoon('drop', { reason, code, id, completionId: completion_id, signal });

  const core = platform ? createCore(options, platform, on, emit, emitSoon, drop) : nowhere();
  return Object.assign(core, createSignals(core.record), {
    completion: (id: CompletionId) => createSignals(core.record, id),
    on,
  });
}
