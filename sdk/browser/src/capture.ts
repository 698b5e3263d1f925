import type { DropOne, Emit } from './client.ts';
import { type Feedback, type FeedbackId, type Item, isExplicit } from './feedback.ts';
import { hash32, uuidV7 } from './id.ts';
import type { Identity } from './identity.ts';
import { AfterwordError, type AfterwordOptions, type DropReason } from './options.ts';
import type { Platform } from './platform.ts';
import { type Entry, toEntry } from './queue.ts';
import { cutTo, nBytesOf, REDACTED, redact } from './text.ts';

/** The service's bound of a comment, and ours of an edited answer: 32 KiB still leave a page with the exit's budget. */
const MAX_COMMENT_BYTES = 16 << 10;
const MAX_EDIT_BYTES = 32 << 10;
/** An item that the service's bound of a browser's body (256 KiB) would surely refuse. */
const MAX_ITEM_BYTES = 200_000;
/** The client's own rate: what a person can do, and a loop cannot keep up. */
const BURST = 100;
const MS_PER_ITEM = 100;
/** How many latest thumbs and ratings are remembered for `supersedes`. */
const MAX_LATEST = 500;

/** Makes an item of a reaction, or says why not. */
export interface Capture {
  toItem(feedback: Feedback): Entry | undefined;
  renew(): void;
  sessionNow(): string;
}

/** Hides what is personal, and cuts what is too long. An edit that was cut says so: it must never become an example. */
function trim(raw: Feedback, patterns: readonly RegExp[]): Feedback {
  const feedback = { ...raw } as { comment?: string; text?: string; truncated?: boolean };
  const isEdit = raw.signal === 'edit';
  const field = raw.signal === 'thumb' ? 'comment' : 'text';
  if (feedback[field]) {
    const hidden = redact(String(feedback[field]), patterns);
    feedback[field] = cutTo(hidden, isEdit ? MAX_EDIT_BYTES : MAX_COMMENT_BYTES);
    if (isEdit && feedback.text !== hidden) feedback.truncated = true;
  }
  return feedback as unknown as Feedback;
}

/** Makes the front half of a client: everything between the call and the queue. */
export function createCapture(
  { sampleRate = 1, beforeSend = (feedback) => feedback, redact: hidden = [], respectGpc }: AfterwordOptions,
  platform: Platform,
  identity: Identity,
  emit: Emit,
  drop: DropOne,
): Capture {
  const patterns = hidden ? [...REDACTED, ...hidden] : [];
  const latest = new Map<string, FeedbackId>();
  const newId = (): string => uuidV7(platform.nowMs(), platform.randomBytes());
  let sessionId = newId();
  let seq = 0;
  /** When the client's own rate will have been kept, were nothing more recorded. */
  let evenMs = 0;

  return {
    toItem(raw) {
      const refuse = (reason: DropReason): undefined => void drop(raw, reason);
      let rate = 1;
      if (!isExplicit(raw.signal)) {
        if (respectGpc !== false && platform.hasGpc()) return refuse('gpc');
        rate = typeof sampleRate === 'function' ? sampleRate(raw) : sampleRate;
        // The same answers on every page and in every session.
        if (!(hash32(raw.completion_id) / 2 ** 32 < rate)) return undefined;
      }
      const nowMs = platform.monoMs();
      const nextMs = Math.max(evenMs, nowMs) + MS_PER_ITEM;
      if (nextMs - nowMs > BURST * MS_PER_ITEM) return refuse('rate_limited');
      evenMs = nextMs;
      let feedback: Feedback | null = trim(raw, patterns);
      try {
        feedback = beforeSend(feedback);
      } catch {
        emit('error', new AfterwordError('before_send'));
        feedback = null;
      }
      if (!feedback) return refuse('before_send');
      const { completion_id, signal } = feedback;
      if (typeof completion_id !== 'string' || !completion_id || nBytesOf(completion_id) > 256) {
        return refuse('invalid');
      }
      const key = `${signal} ${completion_id}`;
      const item: Item = {
        ...feedback,
        id: newId(),
        occurred_at: new Date(platform.nowMs()).toISOString(),
        session_id: sessionId,
        seq: seq++,
        user: identity.owner(),
        supersedes: latest.get(key),
        weight: rate < 1 ? Math.min(1e6, 1 / rate) : undefined,
      };
      const entry = toEntry(item, nowMs);
      if (entry.nBytes > MAX_ITEM_BYTES) return refuse('too_large');
      if (/thumb|rating/.test(signal)) {
        if (latest.size > MAX_LATEST) latest.clear();
        latest.set(key, item.id);
      }
      return entry;
    },
    renew() {
      latest.clear();
      sessionId = newId();
      seq = 0;
    },
    sessionNow: () => sessionId,
  };
}
