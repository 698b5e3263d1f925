import type { CompletionId, Feedback, FeedbackId, Item } from './feedback.ts';
import type { StorageKind } from './platform.ts';
import type { TokenSource } from './token.ts';

/** Whether reactions may be kept and sent. `pending`: held in memory, nothing stored, nothing sent. */
export type Consent = 'granted' | 'denied' | 'pending';

/** How a client is made. */
export interface AfterwordOptions {
  /** Where the service is: an origin, or a first-party path in front of `/v1/feedback`. */
  endpoint: string;
  /** A publishable key, a feedback token, or a callback that brings one from your backend. */
  token: TokenSource;
  /** Who reacts, opaque. Sent beside a publishable key; beside a callback it says whose token that will be. */
  user?: string | undefined;
  /** Default `granted`. */
  consent?: Consent | undefined;
  /** Whether Global Privacy Control turns implicit signals off; default true. */
  respectGpc?: boolean | undefined;
  /** Default `local`. On shared machines take `session` or `memory`. */
  storage?: StorageKind | undefined;
  /** Items of a request; default 20. */
  batchSize?: number | undefined;
  /** Longest time that an item waits for others; default 2000. */
  flushIntervalMs?: number | undefined;
  /** What may wait at most: 500 items, 256 KiB, seven days. */
  maxQueue?: number | undefined;
  maxBytes?: number | undefined;
  maxAgeMs?: number | undefined;
  /** Share of completions whose implicit signals are kept, 0 to 1; its inverse is sent as their weight. */
  sampleRate?: number | ((feedback: Feedback) => number) | undefined;
  /** Sees what is about to be kept, changes it or takes it out with null. */
  beforeSend?: ((feedback: Feedback) => Feedback | null) | undefined;
  /** What is hidden in comments and edits beside or, with false, without the default patterns. */
  redact?: readonly RegExp[] | false | undefined;
  /** In place of the global `fetch`. */
  fetch?: typeof fetch | undefined;
  /** Whether queues of closed tabs are taken over; default true. */
  crossTab?: boolean | undefined;
  /** Writes every event to the console. */
  debug?: boolean | undefined;
}

/** What answers of the service came to, in items. */
export interface Receipt {
  accepted: number;
  duplicate: number;
  rejected: number;
}
/** What a flush came to. */
export interface FlushResult extends Receipt {
  pending: number;
}
/** No items at all. */
export const NOTHING: FlushResult = { accepted: 0, duplicate: 0, rejected: 0, pending: 0 };

/** Why a reaction was given up. With a code of the service where that refused it. */
export type DropReason =
  | 'consent'
  | 'gpc'
  | 'rate_limited'
  | 'before_send'
  | 'invalid'
  | 'too_large'
  | 'queue_full'
  | 'expired'
  | 'rejected'
  | 'reset'
  | 'subject_changed';

/** A reaction that is given up. It has an id if it was in the queue, and may then have arrived nonetheless. */
export interface Drop {
  reason: DropReason;
  code?: string | undefined;
  id?: FeedbackId | undefined;
  completionId: CompletionId;
  signal: string;
}

/** What goes wrong without a reaction being lost by it. */
export class AfterwordError extends Error {
  declare readonly code: 'auth' | 'network' | 'storage' | 'before_send';
  declare readonly status: number | undefined;
  constructor(code: AfterwordError['code'], status?: number) {
    super(`afterword: ${code}`);
    this.code = code;
    this.status = status;
  }
}

/** What `on` tells of. */
export interface Events {
  /** A reaction as it was called for, before it is decided whether it is taken. */
  call: Feedback;
  feedback: Item;
  sent: Receipt;
  drop: Drop;
  /** The page is being hidden or left: what is recorded now still goes out. */
  hide: undefined;
  error: AfterwordError;
}

/** One method per signal. Each returns the reaction's id, or undefined where it was not taken; none ever throws. */
export interface Signals {
  thumb(
    id: CompletionId,
    value: 'up' | 'down' | 'none',
    x?: { reasons?: string[]; comment?: string },
  ): FeedbackId | undefined;
  rating(id: CompletionId, value: number | { score: number; min: number; max: number }): FeedbackId | undefined;
  preference(
    id: CompletionId,
    x: {
      against: CompletionId;
      outcome: 'better' | 'worse' | 'tie' | 'both_bad';
      strength?: number;
      shownFirst?: 'this' | 'against' | 'unknown';
    },
  ): FeedbackId | undefined;
  comment(id: CompletionId, text: string): FeedbackId | undefined;
  edit(id: CompletionId, text: string, x?: { accepted?: boolean }): FeedbackId | undefined;
  regenerate(id: CompletionId, x?: { next?: CompletionId; reason?: string }): FeedbackId | undefined;
  continuation(id: CompletionId, x?: { turn?: number; gapMs?: number; next?: CompletionId }): FeedbackId | undefined;
  copy(
    id: CompletionId,
    x?: { nChars?: number; nTotalChars?: number; containsCode?: boolean; method?: 'button' | 'selection' },
  ): FeedbackId | undefined;
  accept(id: CompletionId, x?: { method?: 'insert' | 'apply' | 'send' }): FeedbackId | undefined;
  impression(id: CompletionId): FeedbackId | undefined;
  dwell(id: CompletionId, visibleMs: number): FeedbackId | undefined;
}

type Bound<F> = F extends (id: CompletionId, ...rest: infer R) => infer T ? (...rest: R) => T : never;
/** The signals of one completion. */
export type CompletionHandle = { readonly [K in keyof Signals]: Bound<Signals[K]> };

/** A client. */
export interface Afterword extends Signals {
  /** Records a reaction in the words of the wire. */
  record(feedback: Feedback): FeedbackId | undefined;
  /** The same methods with the id bound. */
  completion(id: CompletionId): CompletionHandle;
  /** Sends what waits, as far as the service lets us. */
  flush(): Promise<FlushResult>;
  setConsent(consent: Consent): void;
  setToken(token: TokenSource): void;
  /** At logout: forgets the user, drops what waits here and in other tabs, begins a new session. */
  reset(): void;
  /** Sends what waits and stops; what could not be sent stays stored. */
  shutdown(): Promise<void>;
  on<E extends keyof Events>(what: E, run: (detail: Events[E]) => void): () => void;
  readonly pending: number;
  readonly sessionId: string;
}
