import { createCapture } from './capture.ts';
import { createConversation } from './conversation.ts';
import type { CompletionId, Feedback, FeedbackId } from './feedback.ts';
import { createMailer } from './mailer.ts';
import { type Afterword, type AfterwordOptions, type DropReason, type Events, NOTHING } from './options.ts';
import type { Platform } from './platform.ts';
import { bindSignals, createSignals } from './signals.ts';

/** Tells listeners; one that throws is the host's affair and hurts neither us nor the others. */
export type Emit = <E extends keyof Events>(what: E, detail: Events[E]) => void;
/** Tells that a reaction is given up. */
export type DropOne = (feedback: Feedback & { id?: FeedbackId }, reason: DropReason, code?: string) => void;

/** Makes a client that lives on `platform`; without one, on a server, it takes nothing. */
export function createClient(options: AfterwordOptions, platform: Platform | undefined): Afterword {
  const listeners: { [E in keyof Events]?: Set<(detail: Events[E]) => void> } = {};
  let isMade = false;
  const emit: Emit = (what, detail) => {
    // What an earlier page left may have expired; nobody can listen before the client is made.
    if (!isMade) return queueMicrotask(() => emit(what, detail));
    if (options.debug) console.debug('afterword', what, detail);
    for (const run of listeners[what] ?? []) {
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
  const capture = mailer && createCapture(options, platform, mailer, emit, drop);
  /** How answers were left, by completion: edited, or asked for again. */
  const ends = new Map<CompletionId, string>();
  const record = (feedback: Feedback): FeedbackId | undefined => {
    try {
      if (/^(edit|regenerate)$/.test(feedback.signal)) ends.set(feedback.completion_id, feedback.signal);
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
    conversation: (o) =>
      createConversation(
        signals,
        (id) => ends.get(id),
        () => platform?.monoMs() ?? 0,
        o,
      ),
    flush: async () => mailer?.flush() ?? { ...NOTHING, pending: 0 },
    setConsent: (consent) => mailer?.setConsent(consent),
    setToken: (token) => mailer?.setToken(token),
    reset() {
      ends.clear();
      capture?.reset();
      mailer?.reset();
    },
    shutdown: async () => mailer?.shutdown(),
    on(what, run) {
      const set = (listeners[what] ??= new Set() as NonNullable<(typeof listeners)[typeof what]>);
      set.add(run);
      return () => set.delete(run);
    },
    get pending() {
      return mailer?.nPending() ?? 0;
    },
    get sessionId() {
      return capture?.sessionId() ?? '';
    },
  };
}
