import { attempt } from './attempt.ts';
import { parseRetryAfter } from './backoff.ts';

/** What came back for a batch. */
export interface Reply {
  status: number;
  text: string;
  retryAfter: string | null;
}

/** An item that the service refused for good. */
export interface Rejected {
  index: number;
  code: string;
}

/** The words of the service in a reply. */
interface Answer {
  accepted?: number;
  duplicate?: number;
  rejected?: readonly Rejected[];
  code?: string;
  retryable?: boolean;
}

/** What to do with a batch after its reply. */
export interface Verdict extends Answer {
  /** Of the reply; 0 where there was none. */
  status: number;
  /** Whether every item has its verdict: those in `rejected`, or all for a `refusal`, are refused, the others stored. */
  isDecided?: unknown;
  /** Why all of them are refused. */
  refusal?: string | undefined;
  /** Whether the batch as a whole was refused for its size or for one item that spoils it: send halves. */
  isTooMuch?: unknown;
  /** How long the service wants to hear nothing, if it says so. */
  waitMs?: number | undefined;
}

/**
 * Judges a reply. Only the service's own words end an item: a 2xx without a receipt or a 4xx without a problem's code
 * came from something between (a captive portal, a proxy that lost its upstream), and the items stay.
 * @param nItems how many items the batch had
 */
export function judge({ status, text, retryAfter }: Reply, nItems: number, nowMs: number): Verdict {
  const answer: Answer = attempt(() => ({ ...JSON.parse(text) })) ?? {};
  const rejected = Array.isArray(answer.rejected) ? answer.rejected : [];
  const code = typeof answer.code === 'string' ? answer.code : status === 413 && 'too_large';
  const isTooMuch = code && nItems > 1 && (status === 400 || status === 413);
  const isRefusal = code && /^4(?!08|29)/.test(`${status}`) && !answer.retryable;
  return {
    ...answer,
    status,
    rejected,
    isDecided: isRefusal || (status < 300 && typeof answer.accepted === 'number'),
    refusal: isRefusal && !rejected.length ? code : undefined,
    isTooMuch,
    waitMs: parseRetryAfter(retryAfter, nowMs),
  };
}
