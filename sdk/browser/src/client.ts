import { createCapture } from './capture.ts';
import type { CompletionId, Feedback, FeedbackId } from './feedback.ts';
import { createMailer } from './mailer.ts';
import type { Afterword, AfterwordOptions, DropReason, Events } from './options.ts';
import { AfterwordError } from './options.ts';
import type { Platform } from './platform.ts';
import { bindSignals, createSignals } from './signals.ts';

type Listeners = { [E in keyof Events]: Set<(detail: Events[E]) => void> };

/** Tells listeners; one that throws is the host's affair and hurts neither us nor the others. */
export type Emit = <E extends keyof Events>(what: E, detail: Events[E]) => void;
/** Tells that a reaction is given up. */
export type DropOne = (feedback: Feedback & { id?: FeedbackId }, reason: DropReason, code?: string) => void;

/** Makes a client that lives on `platform`; without one, on a server, it takes nothing. */
export function createClient(options: AfterwordOptions, platform: Platform | undefined): Afterword {
  const listeners: Listeners = {
    feedback: new Set(),
    sent: new Set(),
    drop: new Set(),
    hide: new Set(),
    error: new Set(),
  };
  let isMade = false;
  const emit: Emit = (what, detail) => {
    // What an earlier page left may have expired; nobody can listen before the client is made.
    if (!isMade) return queueMicrotask(() => emit(what, detail));
    if (options.debug) console.debug('afterword', what, detail);
    for (const run of listeners[what]) {
      try {
        run(detail);
      } catch (error) {
        if (options.debug) console.error(error);
      }
    }
  };
  const drop: DropOne = ({ id, completion_id, signal }, reason, code) =>
    emit('drop', { reason, code, id, completionId: completion_id, signal });

  const mailer = platform && createMailer(options, platform, emit, drop);
  const capture = platform && mailer && createCapture(options, platform, mailer, emit, drop);
  const record = (feedback: Feedback): FeedbackId | undefined => {
    try {
      return capture?.take(feedback);
    } catch {
      drop(feedback ?? {}, 'invalid');
      return undefined;
    }
  };
  const signals = createSignals(record);
  isMade = true;

  return {
    ...signals,
    record,
    completion: (id: CompletionId) => bindSignals(signals, id),
    flush: () => mailer?.flush() ?? Promise.resolve({ accepted: 0, duplicate: 0, rejected: 0, pending: 0 }),
    setConsent: (consent) => mailer?.setConsent(consent),
    setToken: (token) => mailer?.setToken(token),
    reset() {
      capture?.reset();
      mailer?.reset();
    },
    shutdown: () => mailer?.shutdown() ?? Promise.resolve(),
    on(what, run) {
      listeners[what].add(run);
      return () => listeners[what].delete(run);
    },
    get pending() {
      return mailer?.nPending() ?? 0;
    },
    get sessionId() {
      return capture?.sessionId() ?? '';
    },
  };
}

export { AfterwordError };
