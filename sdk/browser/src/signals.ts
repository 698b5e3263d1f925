import type { CompletionId, Feedback, FeedbackId } from './feedback.ts';
import type { CompletionHandle, Signals } from './options.ts';

/** Every signal with the field that its method takes by position, if any. */
const METHODS =
  'thumb:value rating:value preference comment:text edit:text regenerate continuation copy accept impression dwell:visible_ms';

/** `nTotalChars` becomes `n_total_chars`; `next` is short for the id of the next completion. */
const toWireName = (name: string): string =>
  name === 'next' ? 'next_completion_id' : name.replace(/[A-Z]/g, '_$&').toLowerCase();

type Take = (feedback: Feedback) => FeedbackId | undefined;

/** One method per signal, on top of one that records. */
export function createSignals(record: Take): Signals;
/** The same methods for one completion. */
export function createSignals(record: Take, id: CompletionId): CompletionHandle;
export function createSignals(record: Take, id?: CompletionId): unknown {
  const methods: Record<string, unknown> = {};
  for (const method of METHODS.split(' ')) {
    const [signal, first] = method.split(':') as [string, string?];
    methods[signal] = (...rest: unknown[]) => {
      const feedback: Record<string, unknown> = { signal, completion_id: id ?? rest.shift() };
      if (first) feedback[first] = rest.shift();
      for (const [name, value] of Object.entries(rest[0] ?? {})) feedback[toWireName(name)] = value;
      return record(feedback as unknown as Feedback);
    };
  }
  return methods;
}
