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

/** What to do with a batch after its reply. */
export type Verdict =
  /** Every item has its verdict: those in `rejected` are refused, the others stored. */
  | { kind: 'settled'; accepted: number; duplicate: number; rejected: Rejected[] }
  /** Nothing is known to be stored; the same again, not before `waitMs` where it is there. */
  | { kind: 'keep'; waitMs?: number | undefined; status: number }
  /** The credential was refused. */
  | { kind: 'auth' }
  /** The batch as a whole was refused for its size or for one item that spoils it: send halves. */
  | { kind: 'split' };

interface Answer {
  accepted?: number;
  duplicate?: number;
  rejected?: Rejected[];
  code?: string;
  retryable?: boolean;
}

function parse(text: string): Answer {
  try {
    return { ...JSON.parse(text) };
  } catch {
    return {};
  }
}

/**
 * Judges a reply. Only the service's own words end an item: a 2xx without a receipt or a 4xx without a problem's code
 * came from something between (a captive portal, a proxy that lost its upstream), and the items stay.
 * @param nItems how many items the batch had
 */
export function judge({ status, text, retryAfter }: Reply, nItems: number, nowMs: number): Verdict {
  const answer = parse(text);
  const { accepted = 0, duplicate = 0 } = answer;
  const isReceipt = status < 300 && typeof answer.accepted === 'number';
  const code = typeof answer.code === 'string' ? answer.code : status === 413 && 'too_large';
  if (status === 401) return { kind: 'auth' };
  if (code && nItems > 1 && /400|413/.test(`${status}`)) return { kind: 'split' };
  const isRefusal = code && /^4(?!08|29)/.test(`${status}`) && !answer.retryable;
  if (!isReceipt && !isRefusal) return { kind: 'keep', waitMs: parseRetryAfter(retryAfter, nowMs), status };
  let rejected = Array.isArray(answer.rejected) ? answer.rejected : [];
  if (isRefusal && !rejected.length) rejected = Array.from({ length: nItems }, (_, index) => ({ index, code }));
  return { kind: 'settled', accepted, duplicate, rejected };
}
