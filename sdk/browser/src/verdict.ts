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
  | { kind: 'settled'; nAccepted: number; nDuplicate: number; rejected: Rejected[] }
  /** Nothing is known to be stored; the same again, not before `waitMs` where it is there. */
  | { kind: 'keep'; waitMs: number | undefined; status: number }
  /** The credential was refused. */
  | { kind: 'auth' }
  /** The batch as a whole was refused for its size or for one item that spoils it: send halves. */
  | { kind: 'split'; code: string };

type Answer = { accepted?: unknown; duplicate?: unknown; rejected?: unknown; code?: unknown; retryable?: unknown };

function parse(text: string): Answer {
  try {
    const answer: unknown = JSON.parse(text);
    return answer && typeof answer === 'object' ? answer : {};
  } catch {
    return {};
  }
}

/**
 * Judges a reply. Only the service's own words end an item: a 2xx without a receipt or a 4xx without a problem's code
 * came from something between (a captive portal, a proxy that lost its upstream), and the items stay.
 * @param nItems how many items the batch had
 */
export function judge(reply: Reply, nItems: number, nowMs: number): Verdict {
  const { status } = reply;
  const answer = parse(reply.text);
  const isReceipt = status >= 200 && status < 300 && typeof answer.accepted === 'number';
  const code = typeof answer.code === 'string' ? answer.code : undefined;
  if (status === 401) return { kind: 'auth' };
  if (status === 413 || (status === 400 && code && nItems > 1)) return { kind: 'split', code: code ?? 'too_large' };
  const isRefusal = status >= 400 && status < 500 && status !== 408 && status !== 429 && code && !answer.retryable;
  if (!isReceipt && !isRefusal) return { kind: 'keep', waitMs: parseRetryAfter(reply.retryAfter, nowMs), status };

  let rejected = (Array.isArray(answer.rejected) ? answer.rejected : []).filter(
    (one): one is Rejected => typeof one?.index === 'number' && typeof one.code === 'string',
  );
  if (isRefusal && !rejected.length) {
    rejected = Array.from({ length: nItems }, (_, index) => ({ index, code: code as string }));
  }
  return {
    kind: 'settled',
    nAccepted: Number(answer.accepted ?? 0),
    nDuplicate: Number(answer.duplicate ?? 0),
    rejected,
  };
}
