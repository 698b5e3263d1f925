import type { DropOne, Emit } from './client.ts';
import { type Feedback, type FeedbackId, type Item, isExplicit } from './feedback.ts';
import { isSampled, uuidV7 } from './id.ts';
import type { Mailer } from './mailer.ts';
import { AfterwordError, type AfterwordOptions, type DropReason } from './options.ts';
import type { Platform } from './platform.ts';
import { toEntry } from './queue.ts';
import { cutTo, nBytesOf, REDACTED, redact } from './text.ts';

/** The service's bound of a comment, and ours of an edited answer: 32 KiB still leave a page with the exit's budget. */
const MAX_COMMENT_BYTES = 16 << 10;
const MAX_EDIT_BYTES = 32 << 10;
/** An item that the service's bound of a browser's body (256 KiB) would surely refuse. */
const MAX_ITEM_BYTES = 200_000;
/** The client's own rate: what a person can do, and a loop cannot keep up. */
const BURST = 100;
const PER_SECOND = 10;
/** How many latest thumbs and ratings are remembered for `supersedes`. */
const MAX_LATEST = 500;

/** Makes an item of a reaction, or says why not. */
export interface Capture {
  take(feedback: Feedback): FeedbackId | undefined;
  reset(): void;
  sessionId(): string;
}

/** Hides what is personal, and cuts what is too long. An edit that was cut says so: it must never become an example. */
function trim(feedback: Feedback, patterns: readonly RegExp[]): Feedback {
  if (feedback.signal === 'edit') {
    const hidden = redact(String(feedback.text), patterns);
    const text = cutTo(hidden, MAX_EDIT_BYTES);
    return text === hidden ? { ...feedback, text } : { ...feedback, text, truncated: true };
  }
  const shorten = (text: string): string => cutTo(redact(String(text), patterns), MAX_COMMENT_BYTES);
  if (feedback.signal === 'comment') return { ...feedback, text: shorten(feedback.text) };
  if (feedback.signal === 'thumb' && feedback.comment) return { ...feedback, comment: shorten(feedback.comment) };
  return { ...feedback };
}

/** Makes the front half of a client: everything between the call and the queue. */
export function createCapture(
  options: AfterwordOptions,
  platform: Platform,
  mailer: Mailer,
  emit: Emit,
  drop: DropOne,
): Capture {
  const { beforeSend, sampleRate = 1 } = options;
  const patterns = options.redact === false ? [] : [...REDACTED, ...(options.redact ?? [])];
  const latest = new Map<string, FeedbackId>();
  const newId = (): string => uuidV7(platform.nowMs(), platform.randomBytes());
  let sessionId = newId();
  let seq = 0;
  let user = options.user;
  let room = BURST;
  let refilledMs = platform.monoMs();

  const hasRoom = (): boolean => {
    const nowMs = platform.monoMs();
    room = Math.min(BURST, room + ((nowMs - refilledMs) / 1000) * PER_SECOND);
    refilledMs = nowMs;
    return room >= 1 && room-- >= 1;
  };

  return {
    take(raw) {
      const refuse = (reason: DropReason): undefined => void drop(raw, reason);
      if (!mailer.isOpen()) {
        return refuse('consent');
      }
      let weight: number | undefined;
      if (!isExplicit(raw.signal)) {
        if (options.respectGpc !== false && platform.hasGpc()) {
          return refuse('gpc');
        }
        const rate = typeof sampleRate === 'function' ? sampleRate(raw) : sampleRate;
        if (!isSampled(raw.completion_id, rate)) return undefined;
        if (rate < 1) weight = Math.min(1e6, 1 / rate);
      }
      if (!hasRoom()) {
        return refuse('rate_limited');
      }
      let feedback: Feedback | null = trim(raw, patterns);
      try {
        if (beforeSend) feedback = beforeSend(feedback);
      } catch {
        emit('error', new AfterwordError('before_send'));
        feedback = null;
      }
      if (!feedback) {
        return refuse('before_send');
      }
      const { completion_id, signal } = feedback;
      if (typeof completion_id !== 'string' || !completion_id || nBytesOf(completion_id) > 256) {
        return refuse('invalid');
      }
      const key = `${signal} ${completion_id}`;
      const id = newId();
      const item: Item = {
        ...feedback,
        id,
        occurred_at: new Date(platform.nowMs()).toISOString(),
        session_id: sessionId,
        seq: seq++,
        user: mailer.sendsUser() ? user : undefined,
        supersedes: latest.get(key),
        weight,
      };
      const entry = toEntry(item, platform.monoMs());
      if (entry.nBytes > MAX_ITEM_BYTES) {
        return refuse('too_large');
      }
      if (signal === 'thumb' || signal === 'rating') {
        if (latest.size > MAX_LATEST) latest.clear();
        latest.set(key, id);
      }
      mailer.add(entry);
      emit('feedback', item);
      return id;
    },
    reset() {
      user = undefined;
      latest.clear();
      sessionId = newId();
      seq = 0;
    },
    sessionId: () => sessionId,
  };
}
