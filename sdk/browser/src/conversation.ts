import type { CompletionId } from './feedback.ts';
import type { Conversation, ConversationOptions, Signals } from './options.ts';
import { bindSignals } from './signals.ts';

/**
 * Links the turns of one conversation.
 * @param endOf how an answer was left, if the user edited it or asked for it again
 */
export function createConversation(
  signals: Signals,
  endOf: (id: CompletionId) => string | undefined,
  monoMs: () => number,
  { continuationWithinMs = 0 }: ConversationOptions = {},
): Conversation {
  let last: CompletionId | undefined;
  let shownMs = 0;
  let turn = 0;
  return {
    turn(next, how) {
      if (last && next !== last) {
        const gapMs = Math.round(monoMs() - shownMs);
        if (how === 'regenerate') signals.regenerate(last, { next });
        const end = endOf(last);
        if (end !== 'regenerate') turn += 1;
        const isDerived = !how && !end && gapMs < continuationWithinMs;
        if (how === 'continuation' || isDerived) signals.continuation(last, { turn, gapMs, next });
      }
      if (next !== last) shownMs = monoMs();
      last = next;
      return bindSignals(signals, next);
    },
  };
}
