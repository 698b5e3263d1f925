import type { CompletionId } from './feedback.ts';
import type { Afterword, CompletionHandle } from './options.ts';

/** How the turns of a conversation are linked. */
export interface ConversationOptions {
  /**
   * Within which time after an answer the next turn counts as its continuation, where the page does not say what it is
   * and the answer was neither edited nor asked for again. Default 0: nothing is derived.
   */
  continuationWithinMs?: number | undefined;
}
/** The answers of one conversation, in order. */
export interface Conversation {
  /**
   * An answer is shown. With `how` it is recorded what it is to the answer before it, with both ids; without, it may be
   * derived that the user carried on. The same answer once more is no turn.
   */
  turn(id: CompletionId, how?: 'continuation' | 'regenerate'): CompletionHandle;
}

/** Links the answers of one conversation, on a client that records what they are to each other. */
export function conversation(aw: Afterword, { continuationWithinMs = 0 }: ConversationOptions = {}): Conversation {
  /** How answers were left, by completion: edited, or asked for again. */
  const ends = new Map<CompletionId, string>();
  aw.on('call', ({ signal, completion_id }) => {
    if (/edit|regenerate/.test(signal)) ends.set(completion_id, signal);
  });
  let last: CompletionId | undefined;
  let shownMs = 0;
  let turn = 0;
  return {
    turn(next, how) {
      if (last && next !== last) {
        const gapMs = Math.round(performance.now() - shownMs);
        if (how === 'regenerate') aw.regenerate(last, { next });
        const end = ends.get(last);
        if (end !== 'regenerate') turn += 1;
        const isDerived = !how && !end && gapMs < continuationWithinMs;
        if (how === 'continuation' || isDerived) aw.continuation(last, { turn, gapMs, next });
      }
      if (next !== last) shownMs = performance.now();
      last = next;
      return aw.completion(next);
    },
  };
}
